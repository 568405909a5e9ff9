"""Kafka, Redis or the registry is away: predictions are answered, and nothing is missing afterwards."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis

from api.models.store import ModelStore
from contracts.topics import PREDICTIONS
from tests.apis import GOOD, Api, Load, create_topics, header, records, running, shared_registry
from tests.builders import a_model_version
from tests.registered import a_compiled_version
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
    await asyncio.to_thread(a_compiled_version, shared_registry(), model="outage")
    await asyncio.to_thread(kafka.stop)
    settings = {"tracking_uri": shared_registry(), "bootstrap": kafka.bootstrap, "topic_prefix": namespace}
    api = Api(tmp_path, model="outage", slim=True, ack_limit_seconds=2, **settings)
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


async def test_redis_may_go_hang_fill_up_and_come_back(
    kafka, own_redis: Callable[[], Any], namespace: str, tmp_path: Path
):
    server = own_redis()
    await create_topics(kafka.bootstrap, namespace)
    await asyncio.to_thread(a_compiled_version, shared_registry(), model="lookups")
    api = Api(
        tmp_path,
        slim=True,
        model="lookups",
        tracking_uri=shared_registry(),
        bootstrap=kafka.bootstrap,
        topic_prefix=namespace,
        redis_url=server.url,
    )
    load = Load(api.url, BODIES, connections=2, pause=0.005)
    async with running(api):
        await api.until("ready")
        async with load.on():
            for outage, back, looked_up in (
                (server.stop, server.start, 503),
                (server.pause, server.resume, 503),
                (lambda: memory(server, 1), lambda: memory(server, 0), 200),  # full: what is there can be read
            ):
                failures = await api.metric("tidemark_api_mirror_failed_events_total")
                await asyncio.to_thread(outage)
                state = await api.until("degraded")
                assert state["dependencies"]["redis"]["state"] == "away"
                await load.more(100)
                answer = await api.get("/predictions/recent")
                assert answer.status_code == looked_up
                assert answer.headers["content-type"] == f"application/{'problem+' if looked_up != 200 else ''}json"

                async def counted(before: float = failures) -> bool:
                    return await api.metric("tidemark_api_mirror_failed_events_total") > before

                await eventually(counted, 20, "failures counted")
                await publishing_goes_on(api)
                await asyncio.to_thread(back)
                await api.until("ready")
                await load.more(20)
        last = (await api.predict()).json()["prediction_id"]

        async def kept() -> bool:
            return (await api.get(f"/predictions/{last}")).status_code == 200

        await eventually(kept, 20, "a look-up")
        await api.drained()

    assert (load.refused, load.lost) == ({}, 0)
    found = {header(record, "ce_id") for record in await records(kafka.bootstrap, PREDICTIONS.named(namespace))}
    assert {answer.id for answer in load.answers} - found == set()


def memory(server: Any, limit: int) -> None:
    """Of Redis, in bytes; 0 is none. At its limit it refuses writes, which is its default."""
    with redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory", limit)


async def publishing_goes_on(api: Api) -> None:
    """While Redis is as it is: slice after slice is acknowledged, none waits for as long as Redis hangs."""
    slices = await api.metric("tidemark_api_publish_lag_seconds_count")

    async def five_more() -> bool:
        return await api.metric("tidemark_api_publish_lag_seconds_count") >= slices + 5

    await eventually(five_more, 60, "five more slices on Kafka")


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
        assert (await api.get("/model")).json()["cached"] is False

        registry.rename(tmp_path / "elsewhere.db")  # and away again, later: the version goes on
        state = await api.until("degraded")
        assert state["dependencies"]["registry"]["state"] == "away"
        assert (await api.predict()).json()["model_version"] == newer
        (tmp_path / "elsewhere.db").rename(registry)
        newest = await asyncio.to_thread(a_model_version, f"sqlite:///{registry}", model="away")

        async def swapped() -> bool:
            return (await api.predict()).json()["model_version"] == newest

        await eventually(swapped, 60, "the newest version")
        await api.until("ready")
