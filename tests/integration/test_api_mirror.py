"""The mirror on a real Redis: what it keeps, for how long, and what it says without one."""

import pytest
import redis
import redis.asyncio

from api.errors import LookupsAway, NoSuchPrediction
from api.outbox.segments import Record
from api.publishing.mirror import Mirror
from api.telemetry import Telemetry
from tests.serving import a_group


def a_mirror(url: str | None, prefix: str, **settings: int) -> Mirror:
    return Mirror(url, Telemetry(), prefix=prefix, **{"ttl_seconds": 60, "cap": 100, **settings})


def events(*numbers: int) -> list[Record]:
    return a_group(*numbers).records


async def ids(url: str, prefix: str) -> list[str]:
    async with redis.asyncio.from_url(url, decode_responses=True) as client:
        return await client.lrange(f"{prefix}predictions:recent", 0, -1)


async def test_the_newest_events_come_first(redis_server, namespace: str):
    mirror = a_mirror(redis_server.url, namespace)
    await mirror.write(events(*range(250)))

    assert await ids(redis_server.url, namespace) == [str(n) for n in range(249, 149, -1)]
    assert await mirror.recent(3) == [b"v" * 10] * 3
    assert await mirror.one("7") == b"v" * 10
    await mirror.close()


async def test_the_list_is_capped_and_what_is_kept_expires(redis_server, namespace: str):
    mirror = a_mirror(redis_server.url, namespace, cap=5, ttl_seconds=33)
    await mirror.write(events(*range(20)))

    async with redis.asyncio.from_url(redis_server.url) as client:
        assert await client.llen(f"{namespace}predictions:recent") == 5
        assert 0 < await client.ttl(f"{namespace}prediction:0") <= 33
    await mirror.close()


async def test_an_expired_event_is_left_out_of_the_recent_ones(redis_server, namespace: str):
    mirror = a_mirror(redis_server.url, namespace)
    await mirror.write(events(1, 2, 3))
    async with redis.asyncio.from_url(redis_server.url) as client:
        await client.delete(f"{namespace}prediction:2")

    assert len(await mirror.recent(10)) == 2
    with pytest.raises(NoSuchPrediction):
        await mirror.one("2")
    await mirror.close()


async def test_an_event_that_is_sent_again_is_listed_once(redis_server, namespace: str):
    mirror = a_mirror(redis_server.url, namespace)
    for _ in range(2):
        await mirror.write(events(1, 2))

    assert await ids(redis_server.url, namespace) == ["2", "1"]
    await mirror.close()


async def test_without_redis_writing_goes_on_and_is_counted_and_looking_up_says_why_not():
    mirror = a_mirror("redis://127.0.0.1:1/0", "")

    for _ in range(3):
        await mirror.write(events(1, 2))

    assert mirror.health == (False, "does not answer")
    assert mirror._telemetry.registry.get_sample_value("tidemark_api_mirror_failed_events_total") == 6
    with pytest.raises(LookupsAway):
        await mirror.one("1")
    await mirror.close()


async def test_with_no_redis_configured_there_are_no_look_ups_and_that_is_no_fault():
    mirror = a_mirror(None, "")
    await mirror.write(events(1))
    await mirror.check()

    assert mirror.health.ok
    with pytest.raises(LookupsAway, match="API_REDIS_URL"):
        await mirror.recent(1)
    await mirror.close()
