"""Idempotency-Key on real processes that share an outbox directory and are killed: one event for each key."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from contracts.topics import PREDICTIONS
from tests.apis import GOOD, Api, create_topics, header, http_client, records, running, shared_registry
from tests.registered import a_compiled_version
from tests.waiting import PATIENCE, eventually

MODEL = "once"


async def some_apis(kafka: Any, namespace: str, directory: Path, count: int, **settings: Any) -> list[Api]:
    await create_topics(kafka.bootstrap, namespace)
    await asyncio.to_thread(a_compiled_version, shared_registry(), model=MODEL)
    settings = {
        "model": MODEL,
        "tracking_uri": shared_registry(),
        "bootstrap": kafka.bootstrap,
        "topic_prefix": namespace,
        **settings,
    }
    return [Api(directory, f"api-{n}", slim=True, **settings) for n in range(count)]


class Retrying:
    """Clients that send each request under a key of its own until it is answered, to any of the processes."""

    def __init__(self, urls: list[str], connections: int = 8) -> None:
        self._urls = urls
        self._connections = connections
        self._stopping = False
        self.answers: dict[str, bytes] = {}
        self.ids: dict[str, list[str]] = {}
        self.seen: Counter[str] = Counter()

    async def run(self) -> None:
        await asyncio.gather(*(self._client(n) for n in range(self._connections)))

    def stop(self) -> None:
        """Each client's last request is the one that it is at."""
        self._stopping = True

    async def more(self, count: int) -> None:
        wanted = len(self.answers) + count
        await eventually(lambda: len(self.answers) >= wanted, 120, f"{count} more answers")

    async def _client(self, number: int) -> None:
        turn, choice = 0, random.Random(number)
        async with http_client() as http:
            while not self._stopping:
                turn += 1
                await self._one(http, f"k{number}x{turn}", choice)

    async def _one(self, http: httpx.AsyncClient, key: str, choice: random.Random) -> None:
        rows = [{"features": GOOD, "entity_id": f"{key}-{n}"} for n in range(choice.choice((1, 1, 5)))]
        path, body = ("/predict", rows[0]) if len(rows) == 1 else ("/predict/batch", {"rows": rows})
        while True:
            try:
                answer = await http.post(choice.choice(self._urls) + path, json=body, headers={"idempotency-key": key})
            except httpx.TransportError:
                self.seen["lost"] += 1
                await asyncio.sleep(0.02)
                continue
            self.seen[str(answer.status_code)] += 1
            if answer.status_code == 200:
                break
            assert answer.status_code in (409, 503), answer.text
            await asyncio.sleep(0.05)
        self.seen["replayed"] += "idempotent-replayed" in answer.headers
        assert self.answers.setdefault(key, answer.content) == answer.content
        said = answer.json()
        self.ids[key] = [one["prediction_id"] for one in said.get("predictions", [said])]


async def test_retries_make_one_event_for_each_key_although_every_process_is_killed_again_and_again(
    kafka, namespace: str, tmp_path: Path
):
    """Two processes on one outbox directory. Killed in turn, three times, under load; each comes back."""
    apis = await some_apis(kafka, namespace, tmp_path, 2)
    load = Retrying([api.url for api in apis])
    async with running(apis[0]), running(apis[1]):
        clients = asyncio.create_task(load.run())
        try:
            for turn in range(3):
                await load.more(150)
                await asyncio.to_thread(apis[turn % 2].process.kill)
                await load.more(30)
                await apis[turn % 2].start()
            await load.more(100)
            load.stop()
            await clients
        finally:
            clients.cancel()
        for api in apis:
            assert await api.stop() == 0

    found: dict[str, set[str]] = {}
    for record in await records(kafka.bootstrap, PREDICTIONS.named(namespace)):
        found.setdefault(record.key.decode().split("-")[0], set()).add(header(record, "ce_id"))
    assert {key: set(ids) for key, ids in load.ids.items()} == found
    assert load.seen["lost"] > 0
    print(load.seen)


async def test_a_retry_is_answered_from_the_dead_processs_outbox_while_kafka_is_away(
    own_kafka: Callable[[], Any], namespace: str, tmp_path: Path
):
    """Its events cannot be sent, its slot is adopted, and still every key has its answer at once."""
    kafka = own_kafka()
    one, other = await some_apis(kafka, namespace, tmp_path, 2)
    async with running(one), running(other):
        await asyncio.to_thread(kafka.stop)
        load = Retrying([one.url])
        clients = asyncio.create_task(load.run())
        await load.more(100)
        await asyncio.to_thread(one.process.kill)
        await eventually(lambda: load.seen["lost"] > 0, 20, "a lost answer")
        load._urls[:] = [other.url]
        load.stop()
        await asyncio.wait_for(clients, 60 * PATIENCE)

        async with http_client(other.url) as http:
            for key, content in load.answers.items():
                size = len(load.ids[key])
                rows = [{"features": GOOD, "entity_id": f"{key}-{n}"} for n in range(size)]
                path, body = ("/predict", rows[0]) if size == 1 else ("/predict/batch", {"rows": rows})
                again = await http.post(path, json=body, headers={"idempotency-key": key})
                assert again.content == content
        await asyncio.to_thread(kafka.start)
        await other.drained()
        await eventually(lambda: not list(tmp_path.glob("outbox/00/*.log")), 60, "the adopted slot empty")

    found: dict[str, set[str]] = {}
    for record in await records(kafka.bootstrap, PREDICTIONS.named(namespace)):
        found.setdefault(record.key.decode().split("-")[0], set()).add(header(record, "ce_id"))
    assert {key: set(ids) for key, ids in load.ids.items()} == found


async def test_the_workers_of_one_port_share_their_keys(kafka, namespace: str, tmp_path: Path):
    (api,) = await some_apis(kafka, namespace, tmp_path, 1, workers=2)
    answers = set()

    async def both_answered_it() -> bool:
        """A connection for each request, so that it meets one worker or the other."""
        async with http_client(api.url) as http:
            answer = await http.post("/predict", json={"features": GOOD}, headers={"idempotency-key": "same"})
        if answer.status_code == 503:  # the second worker has no model yet
            return False
        assert answer.status_code == 200
        answers.add(answer.content)
        page = (await api.get("/metrics")).text.splitlines()
        counted = [line for line in page if line.startswith("tidemark_api_idempotent_requests_total{")]
        return len({worker for line in counted for worker in ("00", "01") if f'worker="{worker}"' in line}) == 2

    async with running(api):
        await eventually(both_answered_it, 60, "an answer of each worker")
        assert await api.stop() == 0

    assert len(answers) == 1
    assert len(await records(kafka.bootstrap, PREDICTIONS.named(namespace))) == 1
