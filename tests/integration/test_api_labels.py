"""Labels on real servers: what was accepted reaches the topic `labels` whatever happens, and nothing else does."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from aiokafka import ConsumerRecord

from contracts.events import parse_id
from contracts.headers import LABEL_GIVEN
from contracts.labels import Label, decode_label
from contracts.topics import BASELINES, LABELS, PREDICTIONS, partition_of
from tests.apis import (
    GOOD,
    REPOSITORY,
    Api,
    create_topics,
    header,
    http_client,
    records,
    running,
    shared_registry,
    skipping_repeats,
)
from tests.registered import a_compiled_version
from tests.waiting import eventually

TOPICS = (PREDICTIONS, BASELINES, LABELS)
NOWHERE = "127.0.0.1:1"


async def post(api: Api, path: str, body: dict[str, Any]) -> httpx.Response:
    async with http_client(api.url) as http:
        return await http.post(path, json=body)


async def predictions(api: Api, count: int) -> list[dict[str, Any]]:
    """Answers to so many rows, in one batch."""
    answer = await post(api, "/predict/batch", {"rows": [{"features": GOOD} for _ in range(count)]})
    assert answer.status_code == 200
    return answer.json()["predictions"]


def label_of(answer: dict[str, Any], truth: Any = 1, **more: Any) -> dict[str, Any]:
    return {"prediction_id": answer["prediction_id"], "truth": truth, "receipt": answer["receipt"], **more}


def without_receipt(answer: dict[str, Any]) -> dict[str, Any]:
    return {"prediction_id": answer["prediction_id"], "truth": 1}


def word(response: httpx.Response) -> str:
    return response.json()["type"].rsplit(":", 1)[1]


async def given_labels(kafka: Any, namespace: str) -> list[ConsumerRecord]:
    return await records(kafka.bootstrap, LABELS.named(namespace))


async def until_labelled(kafka: Any, namespace: str, wanted: set[str]) -> list[ConsumerRecord]:
    async def there() -> bool:
        return wanted <= {record.key.decode() for record in await given_labels(kafka, namespace)}

    await eventually(there, 90, f"{len(wanted)} labelled predictions on Kafka")
    return await given_labels(kafka, namespace)


class Labelling:
    """Labels in batches until it is stopped; each prediction once. What was accepted, by prediction id."""

    def __init__(self, api: Api, answers: list[dict[str, Any]], rows: int = 20) -> None:
        self._api = api
        self._left = [answers[at : at + rows] for at in range(0, len(answers), rows)]
        self.accepted: dict[str, dict[str, Any]] = {}

    async def run(self) -> None:
        while self._left:
            part = self._left[0]
            with suppress(httpx.TransportError):  # killed meanwhile: the batch is sent again
                said = await post(self._api, "/labels", {"labels": [label_of(one) for one in part]})
                assert said.json()["accepted"] == len(part)
                self.accepted |= {one["prediction_id"]: one for one in part}
                self._left.pop(0)
            await asyncio.sleep(0.01)


def labelled(load: Labelling, least: int) -> bool:
    return len(load.accepted) >= least


async def test_every_accepted_label_reaches_kafka_although_the_api_is_killed_and_repeats_can_be_told(
    kafka, namespace: str, tmp_path: Path
):
    await create_topics(kafka.bootstrap, namespace, TOPICS)
    await asyncio.to_thread(a_compiled_version, shared_registry(), model="labelled")
    settings = {"tracking_uri": shared_registry(), "bootstrap": kafka.bootstrap, "topic_prefix": namespace}
    first = Api(tmp_path, "one", model="labelled", slim=True, **settings)
    lives = [
        first,
        Api(tmp_path, "two", first.port, model="labelled", slim=True, outbox_sync="group", **settings),
        Api(tmp_path, "three", first.port, model="labelled", slim=True, **settings),
    ]
    load: Labelling | None = None
    for number, api in enumerate(lives):
        async with running(api):
            if load is None:
                load = Labelling(api, await predictions(api, 1000) + await predictions(api, 1000))
            task = asyncio.create_task(load.run())
            try:
                wanted = len(load.accepted) + 300
                await eventually(partial(labelled, load, wanted), 60, "accepted labels")
                if number < len(lives) - 1:
                    await asyncio.to_thread(api.process.kill)
                else:
                    await eventually(task.done, 120, "the end of the labels")
                    assert await api.stop() == 0
            finally:
                task.cancel()
        with max(api.outbox.glob("00/labels/*.log")).open("ab") as newest:
            newest.write(b"\x93" * 100 + bytes(4096))  # as a power cut may leave it

    assert load is not None
    found = await given_labels(kafka, namespace)
    by_id = {header(record, "ce_id"): record for record in found}
    assert len(load.accepted) == 2000
    assert {record.key.decode() for record in found} == set(load.accepted)
    assert sorted(skipping_repeats(found)) == sorted(by_id)  # within a partition repeats have lower numbers
    for record in by_id.values():
        label, said = decode_label(record.value), load.accepted[record.key.decode()]
        assert (label.score, label.decision, label.model_version, label.truth) == (
            said["score"],
            said["decision"],
            said["model_version"],
            1.0,
        )
        assert abs(label.event_time - datetime.fromisoformat(said["event_time"])) < timedelta(milliseconds=1)
        assert header(record, "ce_type") == LABEL_GIVEN
        assert record.partition == partition_of(record.key, LABELS.partitions)


async def test_labels_wait_while_kafka_is_away_and_those_of_a_dead_process_are_sent_by_another(
    own_kafka: Callable[[], Any], namespace: str, tmp_path: Path
):
    kafka = own_kafka()
    await create_topics(kafka.bootstrap, namespace, TOPICS)
    await asyncio.to_thread(a_compiled_version, shared_registry(), model="waits")
    settings = {"tracking_uri": shared_registry(), "bootstrap": kafka.bootstrap, "topic_prefix": namespace}
    one = Api(tmp_path, "one", model="waits", slim=True, **settings)
    other = Api(tmp_path, "other", model="waits", slim=True, **settings)
    async with running(one), running(other):
        answers = await predictions(one, 40)
        assert (await post(other, "/labels", label_of(answers[0]))).status_code == 202  # a receipt is good for all
        await until_labelled(kafka, namespace, {answers[0]["prediction_id"]})
        await asyncio.to_thread(kafka.stop)
        away = asyncio.get_running_loop().time()
        for answer in answers[1:20]:
            assert (await post(one, "/labels", label_of(answer))).status_code == 202
        said = await post(other, "/labels", {"labels": [label_of(answer) for answer in answers[20:]]})
        assert said.json()["accepted"] == 20
        assert await one.metric("tidemark_api_label_outbox_pending_bytes") > 0
        state = await one.until("degraded")
        await eventually(lambda: asyncio.get_running_loop().time() > away + 10, 20, "ten seconds without Kafka")
        assert (await one.predict()).status_code == 200
        assert "bytes wait for Kafka" in state["dependencies"]["labels"]["detail"]
        await asyncio.to_thread(one.process.kill)
        await asyncio.to_thread(kafka.start)

        found = await until_labelled(kafka, namespace, {answer["prediction_id"] for answer in answers})
        assert sorted(skipping_repeats(found)) == sorted({header(record, "ce_id") for record in found})
        assert await other.metric("tidemark_api_label_outbox_adopted_total") == 1
        await eventually(lambda: not list(tmp_path.glob("outbox/00/labels/*.log")), 30, "an empty slot")
        sources = {parse_id(header(record, "ce_id")).source for record in found}  # type: ignore[union-attr]
        assert len(sources) == 2


async def test_without_a_receipt_a_label_is_joined_while_redis_keeps_the_prediction_and_with_one_always(
    kafka, own_redis: Callable[[], Any], namespace: str, tmp_path: Path
):
    server = own_redis()
    await create_topics(kafka.bootstrap, namespace, TOPICS)
    await asyncio.to_thread(a_compiled_version, shared_registry(), model="mirrored")
    api = Api(
        tmp_path,
        slim=True,
        model="mirrored",
        tracking_uri=shared_registry(),
        bootstrap=kafka.bootstrap,
        topic_prefix=namespace,
        redis_url=server.url,
    )
    async with running(api):
        answers = await predictions(api, 10)

        async def mirrored() -> bool:
            return (await api.get(f"/predictions/{answers[-1]['prediction_id']}")).status_code == 200

        await eventually(mirrored, 30, "the predictions in Redis")
        many = {"labels": [without_receipt(one) for one in answers[:5]]}
        assert (await post(api, "/labels", many)).json()["accepted"] == 5
        unknown = await post(api, "/labels", {"prediction_id": "api.00000000-0193f2a1b3c4-0000000000", "truth": 1})
        assert (unknown.status_code, word(unknown)) == (404, "no-such-prediction")

        await asyncio.to_thread(server.stop)
        late = await post(api, "/labels", without_receipt(answers[5]))
        assert (late.status_code, word(late)) == (503, "lookups")
        assert late.headers["retry-after"]
        assert (await post(api, "/labels", label_of(answers[6]))).status_code == 202
        mixed = {"labels": [without_receipt(answers[7]), label_of(answers[8])]}
        said = (await post(api, "/labels", mixed)).json()
        assert (said["accepted"], said["refused"]) == (1, 1)
        assert said["labels"][0]["error"]["status"] == 503

        wanted = {one["prediction_id"] for one in (*answers[:5], answers[6], answers[8])}
        found = await until_labelled(kafka, namespace, wanted)
        assert {record.key.decode() for record in found} == wanted
        refused = (await api.get("/metrics")).text
        assert 'tidemark_api_labels_refused_total{reason="no-such-prediction"} 1.0' in refused
        assert 'tidemark_api_labels_refused_total{reason="lookups"} 2.0' in refused
        assert await api.metric("tidemark_api_labels_total") == 7


async def test_hosts_share_receipts_by_a_file_and_a_key_is_changed_while_they_run(tmp_path: Path):
    """Nothing is sent to Kafka, which is away all the time."""
    await asyncio.to_thread(a_compiled_version, shared_registry(), model="rotated")
    file = tmp_path / "receipt-keys"

    async def command(*words: str) -> str:
        run = [sys.executable, "-m", "api", "receipts", *words, "--file", str(file)]
        return (await asyncio.to_thread(subprocess.run, run, cwd=REPOSITORY, capture_output=True, check=True)).stdout

    await command("new-key")
    shared: dict[str, Any] = {"slim": True, "model": "rotated", "tracking_uri": shared_registry(), "bootstrap": NOWHERE}
    one = Api(tmp_path / "one", "one", receipt_keys_file=file, **shared)
    other = Api(tmp_path / "other", "other", receipt_keys_file=file, workers=2, **shared)
    stranger = Api(tmp_path / "stranger", "stranger", **shared)
    async with running(one), running(other), running(stranger):
        (before,) = await predictions(one, 1)
        assert (await post(other, "/labels", label_of(before))).status_code == 202
        theirs = await post(stranger, "/labels", label_of(before))
        assert (theirs.status_code, word(theirs)) == (422, "receipt-key")
        assert await stranger.metric("tidemark_api_labels_refused_total") == 1
        assert await stranger.metric("tidemark_api_label_outbox_pending_bytes") == 0

        await command("new-key")
        ids = [line.split()[0].decode() for line in (await command("list")).splitlines()]  # type: ignore[union-attr]
        await command("sign-with", ids[1])

        async def signs_with_the_new_one() -> bool:
            (after,) = await predictions(one, 1)
            return after["receipt"][:6] != before["receipt"][:6]  # format and key id

        await eventually(signs_with_the_new_one, 30, "the new key")
        (after,) = await predictions(one, 1)
        for said in (before, after):
            for api in (one, other):
                assert (await post(api, "/labels", label_of(said))).status_code == 202

        file.write_text("\n".join(line for line in file.read_text().splitlines() if ids[0] not in line) + "\n")

        async def no_longer_taken() -> bool:
            return (await post(one, "/labels", label_of(before))).status_code == 422

        await eventually(no_longer_taken, 30, "the end of the former key")
        assert (await post(one, "/labels", label_of(after))).status_code == 202


async def test_what_is_no_label_is_refused_and_a_key_made_at_the_first_start_is_kept(tmp_path: Path):
    await asyncio.to_thread(a_compiled_version, shared_registry(), model="kept")
    settings: dict[str, Any] = {
        "slim": True,
        "model": "kept",
        "tracking_uri": shared_registry(),
        "bootstrap": NOWHERE,
        "workers": 2,
    }
    first = Api(tmp_path, "first", **settings)
    async with running(first):
        (said,) = await predictions(first, 1)
        tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        future = await post(first, "/labels", label_of(said, labelled_at=tomorrow))
        assert (future.status_code, word(future)) == (422, "label-time")
        assert future.json()["errors"][0]["pointer"] == "/labelled_at"
        wrong = await post(first, "/labels", label_of(said, 17))
        assert (wrong.status_code, word(wrong)) == (422, "truth")
        assert await first.stop() == 0
    assert (tmp_path / "outbox" / "receipt-keys").stat().st_mode & 0o777 == 0o600

    second = Api(tmp_path, "second", first.port, **settings)
    async with running(second):
        assert (await post(second, "/labels", label_of(said))).status_code == 202
        twice = {"labels": [label_of(said, 0), label_of(said, 1)]}  # both are records; the last one counts
        assert (await post(second, "/labels", twice)).json()["accepted"] == 2


async def test_a_broker_without_the_topic_of_labels_costs_no_prediction_and_is_said(
    kafka, namespace: str, tmp_path: Path
):
    await create_topics(kafka.bootstrap, namespace)
    await asyncio.to_thread(a_compiled_version, shared_registry(), model="older")
    api = Api(
        tmp_path,
        slim=True,
        model="older",
        tracking_uri=shared_registry(),
        bootstrap=kafka.bootstrap,
        topic_prefix=namespace,
    )
    async with running(api):
        await api.until("ready")
        (said,) = await predictions(api, 1)
        assert (await post(api, "/labels", label_of(said))).status_code == 202
        state = await api.until("degraded")
        assert state["dependencies"]["kafka"]["state"] == "ok"
        assert "python -m stream_app topics" in state["dependencies"]["labels"]["detail"]
        assert await api.metric("tidemark_api_labels_up") == 0
        await api.predict()
        await api.drained()

        await create_topics(kafka.bootstrap, namespace, (LABELS,))
        (record,) = await until_labelled(kafka, namespace, {said["prediction_id"]})
        assert isinstance(decode_label(record.value), Label)
        assert json.loads(record.value)["truth"] == 1
        await api.until("ready")
