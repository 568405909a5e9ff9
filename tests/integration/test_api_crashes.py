"""The API is killed: nothing that was answered may be missing on Kafka, and what is there twice can be told."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contracts.topics import BASELINES, PREDICTIONS
from tests.apis import GOOD, Api, Load, create_topics, header, records, running, shared_registry, skipping_repeats
from tests.explainers import provers_of
from tests.registered import a_compiled_version
from tests.waiting import eventually

TAILS = (b"\x40\x00\x00\x00garbage", bytes(4096), b"\x93" * 100 + b"\x00" * 7)
BODIES = [{"features": GOOD, "entity_id": f"card-{n}"} for n in range(40)]


async def test_every_answered_prediction_reaches_kafka_although_the_api_is_killed_under_load(
    kafka, namespace: str, tmp_path: Path
):
    """Four lives with one outbox, the second of them with a sync for each group. After each kill half a group, garbage
    or a run of zeros is put at the end of the newest file, as a power cut may leave it.
    """
    await create_topics(kafka.bootstrap, namespace)
    await asyncio.to_thread(a_compiled_version, shared_registry(), model="crashes")
    settings = {"tracking_uri": shared_registry(), "bootstrap": kafka.bootstrap, "topic_prefix": namespace}
    one = Api(tmp_path, "one", model="crashes", slim=True, **settings)
    lives = [
        one,
        Api(tmp_path, "two", one.port, model="crashes", slim=True, outbox_sync="group", **settings),
        Api(tmp_path, "three", one.port, model="crashes", slim=True, **settings),
        Api(tmp_path, "four", one.port, model="crashes", slim=True, **settings),
    ]
    load = Load(one.url, BODIES)
    torn: list[float] = []
    async with load.on():
        for number, api in enumerate(lives):
            async with running(api):
                await load.more(150)
                said = (await api.get("/model")).json()
                assert said["scorer"] == "compiled-trees"
                assert said["scorer_note"].endswith("scikit-learn is not installed here")  # it is slim
                torn.append(await api.metric("tidemark_api_outbox_torn_bytes_total"))
                if api is lives[-1]:
                    assert await api.stop() == 0
                    break
                await asyncio.to_thread(api.process.kill)
            with max(api.outbox.glob("00/*.log")).open("ab") as newest:
                newest.write(TAILS[number])

    found = await records(kafka.bootstrap, PREDICTIONS.named(namespace))
    ids = [header(record, "ce_id") for record in found]
    answered = [answer.id for answer in load.answers]
    assert len(set(answered)) == len(answered)
    assert set(answered) - set(ids) == set()
    assert sorted(skipping_repeats(found)) == sorted(set(ids))
    assert load.refused.keys() <= {503}
    assert torn[0] == 0
    assert all(found >= len(tail) for found, tail in zip(torn[1:], TAILS, strict=True))  # by the life after it
    baselines = await records(kafka.bootstrap, BASELINES.named(namespace))
    assert len(baselines) == len(lives)  # once in each life, before its first event


async def test_what_a_process_left_that_never_comes_back_is_sent_by_another(
    own_kafka: Callable[[], Any], namespace: str, tmp_path: Path
):
    kafka = own_kafka()
    await create_topics(kafka.bootstrap, namespace)
    await asyncio.to_thread(a_compiled_version, shared_registry(), model="adopted")
    settings = {"tracking_uri": shared_registry(), "bootstrap": kafka.bootstrap, "topic_prefix": namespace}
    one = Api(tmp_path, "one", model="adopted", slim=True, **settings)
    other = Api(tmp_path, "other", model="adopted", slim=True, **settings)
    async with running(one), running(other):
        await asyncio.to_thread(kafka.stop)
        left = {(await one.predict()).json()["prediction_id"] for _ in range(20)}
        await asyncio.to_thread(one.process.kill)
        await asyncio.to_thread(kafka.start)

        async def there() -> bool:
            found = await records(kafka.bootstrap, PREDICTIONS.named(namespace))
            return left <= {header(record, "ce_id") for record in found}

        await eventually(there, 60, "the events of the dead process")
        assert await other.metric("tidemark_api_outbox_adopted_total") == 1
        await eventually(lambda: not list(tmp_path.glob("outbox/00/*.log")), 20, "an empty slot")


async def test_a_process_that_asks_a_new_version_is_killed_under_load_and_the_version_answers_all_the_same(
    tmp_path: Path,
):
    """Nobody is left to ask it in a process of its own, so it is asked in this one."""
    await asyncio.to_thread(a_compiled_version, shared_registry(), model="asked")
    api = Api(tmp_path, model="asked", tracking_uri=shared_registry(), bootstrap="127.0.0.1:1")
    load = Load(api.url, BODIES, connections=2, pause=0.005)
    async with running(api):
        await eventually(lambda: not provers_of(api.process.pid), 60, "the end of the one that asked the first version")
        async with load.on():
            await load.more(20)
            version = await asyncio.to_thread(a_compiled_version, shared_registry(), model="asked")
            (pid,) = await eventually(lambda: provers_of(api.process.pid), 60, "one that asks the new version")
            os.kill(pid, signal.SIGKILL)
            await eventually(lambda: load.answers[-1].version == version, 120, "answers of the new version")
            await load.more(20)
        assert (await api.get("/model")).json()["scorer"] == "compiled-trees"

    assert (load.refused, load.lost) == ({}, 0)
    assert "the process that asks asked/" in "\n".join(api.process.tail(100))


async def test_an_orderly_end_sends_what_waits_and_has_status_0(kafka, namespace: str, tmp_path: Path):
    await create_topics(kafka.bootstrap, namespace)
    await asyncio.to_thread(a_compiled_version, shared_registry(), model="ends")
    api = Api(
        tmp_path,
        slim=True,
        model="ends",
        tracking_uri=shared_registry(),
        bootstrap=kafka.bootstrap,
        topic_prefix=namespace,
        linger_ms=2000,
    )
    load = Load(api.url, BODIES)
    async with running(api):
        async with load.on():
            await load.more(100)
        assert await api.stop() == 0

    found = await records(kafka.bootstrap, PREDICTIONS.named(namespace))
    assert {answer.id for answer in load.answers} <= {header(record, "ce_id") for record in found}
