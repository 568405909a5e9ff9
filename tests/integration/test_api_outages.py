"""Kafka, Redis or the registry is away: predictions are answered, and nothing is missing afterwards."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from api.models.store import ModelStore
from contracts.topics import PREDICTIONS
from tests.apis import GOOD, Api, Load, create_topics, header, records, running, shared_registry
from tests.builders import a_model_version
from tests.waiting import eventually

BODIES = [{"features": GOOD, "entity_id": f"card-{n}"} for n in range(40)]


async def given_up(api: Api) -> bool:
    """Whether a group waited for its acknowledgement for longer than API_ACK_LIMIT_SECONDS."""
    return any("no acknowledgement within 2 s" in line for line in api.process.tail(100))


async def test_kafka_may_be_away_at_the_start_and_be_restarted_under_load(
    own_kafka: Callable[[], Any], namespace: str, tmp_path: Path
):
    kafka = own_kafka()
    await create_topics(kafka.bootstrap, namespace)
    await asyncio.to_thread(a_model_version, shared_registry(), model="outage")
    await asyncio.to_thread(kafka.stop)
    settings = {"tracking_uri": shared_registry(), "bootstrap": kafka.bootstrap, "topic_prefix": namespace}
    api = Api(tmp_path, model="outage", ack_limit_seconds=2, **settings)
    load = Load(api.url, BODIES)
    async with running(api), load.on():
        state = await api.until("degraded")
        assert state["dependencies"]["kafka"]["state"] == "away"
        await load.more(100)
        await asyncio.to_thread(kafka.start)
        await api.until("ready")
        await load.more(100)
        for outage, back in ((kafka.stop, kafka.start), (kafka.kill, kafka.start), (kafka.pause, kafka.resume)):
            await asyncio.to_thread(outage)
            await api.until("degraded")
            if outage == kafka.pause:  # the frozen connection is given up, whatever is under way on it
                await eventually(lambda: given_up(api), 60, "a connection given up")
            await load.more(100)
            await asyncio.to_thread(back)
            await api.until("ready")
        await load.more(100)
        assert await api.stop() == 0

    assert load.refused == {}
    found = {header(record, "ce_id") for record in await records(kafka.bootstrap, PREDICTIONS.named(namespace))}
    assert {answer.id for answer in load.answers} - found == set()


async def test_kafka_away_until_the_outbox_is_full_gives_503_and_recovers_by_itself(
    own_kafka: Callable[[], Any], namespace: str, tmp_path: Path
):
    kafka = own_kafka()
    await create_topics(kafka.bootstrap, namespace)
    await asyncio.to_thread(a_model_version, shared_registry(), model="full")
    settings = {"tracking_uri": shared_registry(), "bootstrap": kafka.bootstrap, "topic_prefix": namespace}
    api = Api(tmp_path, model="full", outbox_max_bytes=1 << 20, **settings)
    large = [{"features": {**GOOD, "carrier": "x" * 50_000}, "entity_id": f"card-{n}"} for n in range(20)]
    load = Load(api.url, large, connections=2)
    async with running(api):
        await asyncio.to_thread(kafka.stop)
        async with load.on():
            await eventually(lambda: load.refused[503] > 5, 60, "a full outbox")
        refused = await api.predict({"distance": 1, "carrier": "x" * 50_000})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        await api.until("unavailable")

        await asyncio.to_thread(kafka.start)

        await api.until("ready")
        assert (await api.predict()).status_code == 200
        await api.drained()
    assert set(load.refused) == {503}
    found = {header(record, "ce_id") for record in await records(kafka.bootstrap, PREDICTIONS.named(namespace))}
    assert {answer.id for answer in load.answers} - found == set()


async def test_redis_may_go_hang_and_come_back(kafka, own_redis: Callable[[], Any], namespace: str, tmp_path: Path):
    redis = own_redis()
    await create_topics(kafka.bootstrap, namespace)
    await asyncio.to_thread(a_model_version, shared_registry(), model="lookups")
    api = Api(
        tmp_path,
        model="lookups",
        tracking_uri=shared_registry(),
        bootstrap=kafka.bootstrap,
        topic_prefix=namespace,
        redis_url=redis.url,
    )
    load = Load(api.url, BODIES, connections=2)
    async with running(api):
        await api.until("ready")
        async with load.on():
            for outage, back in ((redis.stop, redis.start), (redis.pause, redis.resume)):
                await asyncio.to_thread(outage)
                state = await api.until("degraded")
                assert state["dependencies"]["redis"]["state"] == "away"
                await load.more(100)
                answer = await api.get("/predictions/recent")
                assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
                await asyncio.to_thread(back)
                await api.until("ready")
                await load.more(20)
        last = (await api.predict()).json()["prediction_id"]

        async def looked_up() -> bool:
            return (await api.get(f"/predictions/{last}")).status_code == 200

        await eventually(looked_up, 20, "a look-up")
        await api.drained()
        assert await api.metric("tidemark_api_mirror_failed_events_total") > 0

    assert load.refused == {}
    found = {header(record, "ce_id") for record in await records(kafka.bootstrap, PREDICTIONS.named(namespace))}
    assert {answer.id for answer in load.answers} - found == set()


async def test_a_start_without_the_registry_serves_the_local_copy_until_it_is_back(
    kafka, namespace: str, tmp_path: Path
):
    await create_topics(kafka.bootstrap, namespace)
    version = await asyncio.to_thread(a_model_version, shared_registry(), model="away")
    store = ModelStore(shared_registry(), "away", "champion", tmp_path / "cache")
    store.keep(await asyncio.to_thread(store.load, version))
    registry = tmp_path / "registry.db"
    api = Api(
        tmp_path,
        model="away",
        tracking_uri=f"sqlite:///{registry}",
        bootstrap=kafka.bootstrap,
        topic_prefix=namespace,
    )
    async with running(api):
        state = await api.until("degraded")
        assert state["dependencies"]["model"] == {"state": "ok", "detail": f"away/{version}, from the local copy"}
        assert state["dependencies"]["registry"]["state"] == "away"
        assert (await api.predict()).json()["model_version"] == version
        assert (await api.get("/model")).json()["cached"] is True

        newer = await asyncio.to_thread(a_model_version, shared_registry(), model="away")
        shutil.copy(shared_registry().removeprefix("sqlite:///"), registry)

        await api.until("ready")
        assert (await api.predict()).json()["model_version"] == newer
