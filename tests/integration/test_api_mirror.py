"""The mirror on a real Redis: what it keeps, for how long, and what it says without one."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
import redis.asyncio

from api.errors import LookupsAway, NoSuchPrediction
from api.outbox.segments import Record
from api.publishing.mirror import Mirror
from api.publishing.recent import MOST_READ, Page, Query
from api.telemetry import Telemetry
from contracts.events import encode_event
from tests.builders import NOON, an_event
from tests.serving import a_group
from tests.slow_proxy import slow_proxy
from tests.waiting import eventually

FAILED = "tidemark_api_mirror_failed_events_total"


def a_mirror(url: str | None, prefix: str, **settings: int) -> Mirror:
    return Mirror(url, Telemetry(), prefix=prefix, **{"ttl_seconds": 60, "cap": 100, "entity_cap": 10, **settings})


def failed(mirror: Mirror) -> float | None:
    return mirror._telemetry.registry.get_sample_value(FAILED)


def a_record(number: int, entity: str | None = None, **event: Any) -> Record:
    event_ = an_event(id=f"p-{number:05d}", entity_id=entity, **event)
    return Record((entity or event_.id).encode(), event_.id, NOON.isoformat(), encode_event(event_))


def records(*numbers: int, entity: str | None = None, **event: Any) -> list[Record]:
    return [a_record(number, entity, **event) for number in numbers]


def ids(page: Page) -> list[int]:
    return [int(json.loads(event)["id"][2:]) for event in page.events]


async def all_pages(mirror: Mirror, query: Query, between: Callable[[], Any] | None = None) -> list[list[int]]:
    pages = []
    while True:
        page = await mirror.recent(query)
        pages.append(ids(page))
        if page.next is None:
            return pages
        query = query._replace(before=page.next)
        if between is not None:
            await between()


@pytest.fixture
async def client(redis_server) -> AsyncIterator[redis.asyncio.Redis]:
    async with redis.asyncio.from_url(redis_server.url) as client:
        yield client


@pytest.fixture
async def make(redis_server, namespace: str) -> AsyncIterator[Callable[..., Mirror]]:
    made: list[Mirror] = []

    def make(**settings: int) -> Mirror:
        made.append(a_mirror(redis_server.url, namespace, **settings))
        return made[-1]

    yield make
    for mirror in made:
        await mirror.close()


async def test_the_newest_events_come_first_and_each_can_be_looked_up(make):
    mirror = make()
    await mirror.write(records(*range(250)))

    assert await all_pages(mirror, Query(1000)) == [list(range(249, 149, -1))]
    assert json.loads(await mirror.one("p-00007"))["id"] == "p-00007"


async def test_pages_hold_each_event_once_and_the_last_says_that_it_is_the_last(make):
    mirror = make()
    await mirror.write(records(*range(10)))

    assert await all_pages(mirror, Query(4)) == [[9, 8, 7, 6], [5, 4, 3, 2], [1, 0]]
    assert await all_pages(mirror, Query(5)) == [[9, 8, 7, 6, 5], [4, 3, 2, 1, 0]]


async def test_pages_neither_repeat_nor_skip_while_new_events_arrive(make):
    mirror = make()
    await mirror.write(records(*range(10)))
    arriving = iter(range(100, 200))

    pages = await all_pages(mirror, Query(3), lambda: mirror.write(records(next(arriving), next(arriving))))

    assert [number for page in pages for number in page] == list(range(9, -1, -1))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(100, entity="N1"), [8, 6, 4, 2, 0]),
        (Query(100, decision=True), [7, 6, 3, 2]),
        (Query(100, decision=False), [9, 8, 5, 4, 1, 0]),
        (Query(100, model="flights"), [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        (Query(100, model="flights/2"), [9, 8, 7, 6, 5]),
        (Query(100, model="flight"), []),
        (Query(100, model="flights/2", entity="N1", decision=True), [6]),
        (Query(100, entity="nobody"), []),
    ],
)
async def test_all_filters_that_are_given_must_fit(make, query: Query, expected: list[int]):
    mirror = make()
    for n in range(10):
        entity = "N1" if n % 2 == 0 else "N2"
        await mirror.write([a_record(n, entity, model_version=str(n // 5 + 1), decision=n % 4 >= 2)])

    assert [n for page in await all_pages(mirror, query) for n in page] == expected
    assert [n for page in await all_pages(mirror, query._replace(limit=1)) for n in page] == expected


async def test_one_request_reads_a_bounded_number_of_events_and_says_where_to_go_on(make):
    mirror = make(cap=10_000)
    await mirror.write(records(0, decision=True))
    await mirror.write(records(*range(1, MOST_READ + 500), decision=False))

    first = await mirror.recent(Query(20, decision=True))
    second = await mirror.recent(Query(20, decision=True, before=first.next))

    assert (ids(first), first.next is not None) == ([], True)
    assert (ids(second), second.next) == ([0], None)


async def test_the_lists_are_capped_and_everything_expires(make, client, namespace: str):
    mirror = make(cap=5, entity_cap=3, ttl_seconds=33)
    await mirror.write(records(*range(10), entity="N1"))
    await mirror.write(records(*range(10, 20)))

    assert await all_pages(mirror, Query(100)) == [[19, 18, 17, 16, 15]]
    assert await all_pages(mirror, Query(100, entity="N1")) == [[9, 8, 7]]
    keys = [key async for key in client.scan_iter(f"{namespace}*")]
    assert len(keys) == 20 + 2
    assert all([0 < await client.ttl(key) <= 33 for key in keys])


async def test_what_has_expired_leaves_the_list_too(make, client, namespace: str):
    mirror = make(ttl_seconds=1)
    await mirror.write(records(1))
    await client.persist(f"{namespace}predictions:newest")

    async def expired() -> bool:
        return not await client.exists(f"{namespace}prediction:p-00001")

    await eventually(expired, 10, "expiry")

    assert await mirror.recent(Query(10)) == Page([], None)
    await mirror.write(records(2))
    (left,) = await client.zrange(f"{namespace}predictions:newest", 0, -1)
    assert left.endswith(b" p-00002")


async def test_an_event_that_is_gone_is_left_out(make, client, namespace: str):
    mirror = make()
    await mirror.write(records(*range(300), entity="N1"))
    await client.delete(*[f"{namespace}prediction:p-{n:05d}" for n in range(210, 299)])

    assert ids(await mirror.recent(Query(3))) == [299, 209, 208]
    with pytest.raises(NoSuchPrediction):
        await mirror.one("p-00250")


async def test_an_event_that_is_sent_again_is_listed_once(make):
    mirror = make()
    for _ in range(2):
        await mirror.write(records(1, 2, entity="N1"))

    assert await all_pages(mirror, Query(10)) == await all_pages(mirror, Query(10, entity="N1")) == [[2, 1]]


async def test_a_hundred_thousand_entities_cost_what_is_stated_and_go_away(own_redis):
    """Under 1.5 KB for an event of some 200 bytes with an entity of its own; docs/operations.md has the figure."""
    server = own_redis()
    async with redis.asyncio.from_url(server.url) as client:
        before = (await client.info("memory"))["used_memory"]
        mirror = a_mirror(server.url, "", ttl_seconds=3600, cap=10_000)
        for start in range(0, 100_000, 1000):
            await mirror.write([a_record(n, f"entity-{n}") for n in range(start, start + 1000)])
        used = (await client.info("memory"))["used_memory"] - before

        assert failed(mirror) == 0
        assert await client.dbsize() == 200_001
        assert await client.zcard("predictions:newest") == 10_000
        print(f"100,000 entities with one event each: {used / 1e6:.0f} MB, {used / 1e5:.0f} bytes an entity")
        assert used < 150e6
        assert (await client.info("keyspace"))["db0"]["expires"] == 200_001
        await mirror.close()


async def test_a_full_redis_is_counted_and_said_and_reading_goes_on(own_redis):
    server = own_redis()
    async with redis.asyncio.from_url(server.url) as client:
        now = [0.0]
        mirror = Mirror(
            server.url, Telemetry(), prefix="", ttl_seconds=60, cap=100, entity_cap=10, stopwatch=lambda: now[0]
        )
        await mirror.write(records(1, 2))
        await client.config_set("maxmemory", "1")
        await client.config_set("maxmemory-policy", "noeviction")

        await mirror.write(records(3, 4, 5))
        await mirror.check()

        assert failed(mirror) == 3
        assert not mirror.health.ok
        assert "full" in mirror.health.detail
        assert ids(await mirror.recent(Query(10))) == [2, 1]

        await client.config_set("maxmemory", "0")
        now[0] += 10
        await mirror.write(records(6))
        assert mirror.health.ok
        assert ids(await mirror.recent(Query(10))) == [6, 2, 1]
        await mirror.close()


async def look_up(mirror: Mirror, number: int, times: int, also: Any) -> tuple[list[str], int]:
    """Look one prediction up so many times at once, and do `also` meanwhile: refusals, and how many went well."""
    asked = [mirror.one(f"p-{number:05d}") for _ in range(times)]
    *answers, _ = await asyncio.gather(*asked, also, return_exceptions=True)
    assert all(isinstance(answer, bytes | LookupsAway) for answer in answers)
    return [str(answer) for answer in answers if isinstance(answer, LookupsAway)], sum(
        isinstance(answer, bytes) for answer in answers
    )


async def test_more_look_ups_at_a_time_than_connections_wait_for_their_turn_and_the_writer_does_not_notice(
    redis_server, namespace: str
):
    async with slow_proxy(urlsplit(redis_server.url).netloc, lambda _: 0.02) as address:
        mirror = a_mirror(f"redis://{address}/0", namespace)
        await mirror.write(records(1))

        refused, answered = await look_up(mirror, 1, 64, mirror.write(records(2)))

        assert (refused, answered) == ([], 64)
        assert (failed(mirror), mirror.health.ok) == (0, True)
        assert json.loads(await mirror.one("p-00002"))["id"] == "p-00002"
        await mirror.close()


async def test_too_many_look_ups_at_a_time_are_told_so_and_the_writer_goes_on(redis_server, namespace: str):
    def slow_to_look_up(sent: bytes) -> float:
        return 0.3 if b"GET" in sent else 0.0

    async with slow_proxy(urlsplit(redis_server.url).netloc, slow_to_look_up) as address:
        mirror = a_mirror(f"redis://{address}/0", namespace)
        await mirror.write(records(1))

        refused, _ = await look_up(mirror, 1, 64, mirror.write(records(2)))

        assert [text for text in refused if "at a time" in text]
        assert (failed(mirror), mirror.health.ok) == (0, True)
        await mirror.write(records(3))
        assert ids(await mirror.recent(Query(10))) == [3, 2, 1]
        await mirror.close()


async def test_a_frozen_redis_takes_no_more_than_half_a_second_and_then_nothing(own_redis):
    server = own_redis()
    mirror = a_mirror(server.url, "")
    await mirror.write(records(1))
    loop = asyncio.get_running_loop()
    server.pause()
    try:
        begun = loop.time()
        await mirror.write(records(2, 3))
        first = loop.time() - begun
        await mirror.write(records(4))
        second = loop.time() - begun - first
    finally:
        server.resume()

    assert 0.4 < first < 2  # half a second, on a machine where everything runs at once
    assert second < 0.4
    assert failed(mirror) == 3
    await mirror.close()


async def test_without_redis_writing_goes_on_and_is_counted_and_looking_up_says_why_not():
    mirror = a_mirror("redis://127.0.0.1:1/0", "")

    for _ in range(3):
        await mirror.write(records(1, 2))

    assert mirror.health == (False, "does not answer")
    assert failed(mirror) == 6
    with pytest.raises(LookupsAway):
        await mirror.one("1")
    with pytest.raises(LookupsAway):
        await mirror.recent(Query(1))
    await mirror.close()


async def test_with_no_redis_configured_there_are_no_look_ups_and_that_is_no_fault():
    mirror = a_mirror(None, "")
    await mirror.write(a_group(1).records)
    await mirror.check()

    assert mirror.health.ok
    with pytest.raises(LookupsAway, match="API_REDIS_URL"):
        await mirror.recent(Query(1))
    await mirror.close()


async def test_a_redis_that_has_forgotten_the_script_is_told_it_again(own_redis):
    server = own_redis()
    mirror = a_mirror(server.url, "")
    async with redis.asyncio.from_url(server.url) as client:
        await mirror.write(records(1))
        await client.script_flush()
        await mirror.write(records(2))

        assert ids(await mirror.recent(Query(10))) == [2, 1]
        assert failed(mirror) == 0
    await mirror.close()


async def test_a_connection_that_redis_has_closed_is_made_anew_and_nothing_is_missed(own_redis):
    server = own_redis()
    mirror = a_mirror(server.url, "")
    async with redis.asyncio.from_url(server.url) as client:
        await mirror.write(records(1))
        await client.client_kill_filter(_type="normal", skipme=True)
        await asyncio.sleep(0.1)  # the end of the connection is on its way
        await mirror.write(records(2))

        assert ids(await mirror.recent(Query(10))) == [2, 1]
        assert failed(mirror) == 0
    await mirror.close()


async def test_a_late_answer_is_not_taken_for_that_of_the_next_command(own_redis):
    server = own_redis()
    now = [0.0]
    mirror = Mirror(
        server.url, Telemetry(), prefix="", ttl_seconds=60, cap=100, entity_cap=10, stopwatch=lambda: now[0]
    )
    async with redis.asyncio.from_url(server.url) as client:
        await mirror.write(records(1))
        await client.config_set("maxmemory", "1")
        await client.config_set("maxmemory-policy", "noeviction")
        server.pause()
        try:
            await mirror.write(records(2))  # the answer, once it comes, is that Redis is full
        finally:
            server.resume()
        await client.config_set("maxmemory", "0")
        now[0] += 10
        await mirror.write(records(3))

        assert mirror.health.ok
        assert failed(mirror) == 1
        assert ids(await mirror.recent(Query(10))) == [3, 1]
    await mirror.close()
