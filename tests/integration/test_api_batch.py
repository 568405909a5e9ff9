"""POST /predict/batch on real Kafka: an event for each answered row and for no other, also when the API is killed."""

import asyncio
from pathlib import Path
from typing import Any

import httpx

from contracts.events import decode_event
from contracts.topics import PREDICTIONS, partition_of
from tests.apis import GOOD, Api, create_topics, header, http_client, records, running, shared_registry
from tests.registered import a_compiled_version
from tests.waiting import eventually


async def an_api(kafka: Any, namespace: str, directory: Path, **settings: Any) -> Api:
    await create_topics(kafka.bootstrap, namespace)
    await asyncio.to_thread(a_compiled_version, shared_registry(), model="batch")
    return Api(
        directory,
        slim=True,
        model="batch",
        tracking_uri=shared_registry(),
        bootstrap=kafka.bootstrap,
        topic_prefix=namespace,
        **settings,
    )


def batch(name: str, size: int) -> dict[str, Any]:
    return {"rows": [{"features": GOOD, "entity_id": f"{name}-{n}"} for n in range(size)]}


async def test_a_thousand_rows_become_a_thousand_events_less_the_bad_ones(kafka, namespace: str, tmp_path: Path):
    api = await an_api(kafka, namespace, tmp_path)
    body = batch("card", 1000)
    for n in range(0, 1000, 100):
        body["rows"][n] = {"features": {**GOOD, "distance": "far"}}
    async with running(api), http_client(api.url) as http:
        said = (await http.post("/predict/batch", json=body)).json()
        await api.drained()

        assert (said["answered"], said["refused"]) == (990, 10)
        assert await api.metric("tidemark_api_refused_requests_total") == 10
        assert await api.metric("tidemark_api_published_total") == 990
    assert [entry["error"]["errors"][0]["pointer"] for entry in said["predictions"] if "error" in entry] == [
        f"/rows/{n}/features/distance" for n in range(0, 1000, 100)
    ]
    found = await records(kafka.bootstrap, PREDICTIONS.named(namespace))
    answered = {p["prediction_id"]: f"card-{n}" for n, p in enumerate(said["predictions"]) if "error" not in p}
    assert {header(record, "ce_id"): record.key.decode() for record in found} == answered
    assert len(found) == 990
    assert all(record.partition == partition_of(record.key, PREDICTIONS.partitions) for record in found)
    assert decode_event(found[0].value).features == GOOD


async def test_a_batch_that_is_killed_is_there_whole_or_not_at_all(kafka, namespace: str, tmp_path: Path):
    """Batches of 400 on four connections, two kills. What was answered is on Kafka; of the rest, all rows or none."""
    api = await an_api(kafka, namespace, tmp_path)
    answered: dict[str, set[str]] = {}
    sent = 0

    async def send(connection: int) -> None:
        nonlocal sent
        async with http_client(api.url) as http:
            while True:
                name, sent = f"b{sent}", sent + 1
                try:
                    answer = await http.post("/predict/batch", json=batch(name, 400))
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
                    continue
                if answer.status_code == 200:
                    answered[name] = {entry["prediction_id"] for entry in answer.json()["predictions"]}

    async def more(count: int) -> None:
        wanted = len(answered) + count
        await eventually(lambda: len(answered) >= wanted, 120, f"{count} more batches")

    clients = []
    try:
        for life in range(3):
            async with running(api):
                clients = clients or [asyncio.create_task(send(n)) for n in range(4)]
                await more(8)
                if life < 2:
                    await asyncio.to_thread(api.process.kill)
                    continue
                for client in clients:
                    client.cancel()
                await asyncio.gather(*clients, return_exceptions=True)
                assert await api.stop() == 0
    finally:
        for client in clients:
            client.cancel()

    rows: dict[str, set[str]] = {}
    for record in await records(kafka.bootstrap, PREDICTIONS.named(namespace)):
        rows.setdefault(record.key.decode().split("-")[0], set()).add(header(record, "ce_id"))
    assert {name: rows[name] for name in answered} == answered
    assert {len(ids) for ids in rows.values()} == {400}
