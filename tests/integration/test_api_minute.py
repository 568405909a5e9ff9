"""A minute without Kafka, under load: one outage, and what three APIs made of it.

`busy` has room for all of it, `small` has an outbox of 1 MiB, and `ended` gets its SIGTERM meanwhile; its disk damages
what it left, then it is started again.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.outbox.segments import FILE_HEADER, FRAME_HEADER
from contracts.topics import PREDICTIONS
from tests.apis import GOOD, Api, Load, create_topics, header, records, running, shared_registry, skipping_repeats
from tests.registered import a_compiled_version
from tests.servers.verbs import LASTING_SESSION_SECONDS, Broker, Source
from tests.waiting import eventually

OUTAGE_SECONDS = 60
BACKLOG_MIB = 48
DRAIN_SECONDS = 1
LEFT = 30
BUSY = [{"features": {**GOOD, "carrier": "x" * 30_000}, "entity_id": f"card-{n}"} for n in range(40)]
LARGE = [{"features": {**GOOD, "carrier": "x" * 50_000}, "entity_id": f"card-{n}"} for n in range(20)]


@dataclass
class Minute:
    """What was seen. found: the ids on Kafka at the end, of the run of each API."""

    busy: Load
    small: Load
    states: Counter[str] = field(default_factory=Counter)
    backlog_mib: float = 0
    memory_mib: tuple[float, float] = (0, 0)
    small_refusal: tuple[int, str] = (0, "")
    small_state: dict[str, Any] = field(default_factory=dict)
    small_answers_before: int = 0
    end_status: int | None = None
    left: list[str] = field(default_factory=list)
    skipped: tuple[int, float] = (0, 0)
    said: list[str] = field(default_factory=list)
    found: dict[str, list[str]] = field(default_factory=dict)
    counted: list[str] = field(default_factory=list)


def damage(outbox: Path) -> int:
    """Flip a bit in the eleventh group of the file, put zeros and garbage at its end. What that costs in bytes."""
    newest = max(outbox.glob("00/*.log"))
    data = bytearray(newest.read_bytes())
    at = FILE_HEADER.size
    for _ in range(10):
        at += FRAME_HEADER.size + int(FRAME_HEADER.unpack_from(data, at)[0])
    size = FRAME_HEADER.size + int(FRAME_HEADER.unpack_from(data, at)[0])
    data[at + size // 2] ^= 1
    tail = bytes(4096) + b"garbage"
    newest.write_bytes(bytes(data) + tail)
    return size + len(tail)


async def orderly_end(api: Api, seen: Minute) -> None:
    """One group for each prediction, then SIGTERM; the disk damages one group, and the next start finds the rest."""
    answers = [await api.predict() for _ in range(LEFT)]
    assert {answer.status_code for answer in answers} == {200}, [answer.text for answer in answers]
    seen.left = [answer.json()["prediction_id"] for answer in answers]
    seen.end_status = await api.stop()
    lost = damage(api.outbox)
    await api.start()
    seen.skipped = (lost, 0)


async def outage(api: Api, kafka: Broker, seen: Minute) -> None:
    """`busy` is under load meanwhile. The first seconds of the outage are left out of what memory does."""
    began = time.monotonic()

    async def passed(seconds: float) -> bool:
        seen.states[(await api.get("/health/ready")).json()["status"]] += 1
        return time.monotonic() - began > seconds

    await api.until("degraded")
    seen.states.clear()
    await eventually(lambda: passed(15), 60, "the first seconds")
    before, pending = api.resident_mib(), await pending_mib(api)

    async def enough() -> bool:  # on a busy machine the minute alone leaves too little to tell anything by
        return await passed(OUTAGE_SECONDS) and await pending_mib(api) > pending + BACKLOG_MIB

    await eventually(enough, 5 * OUTAGE_SECONDS, "the minute, and a backlog")
    seen.memory_mib = before, api.resident_mib()
    seen.backlog_mib = await pending_mib(api) - pending
    await asyncio.to_thread(kafka.start)


async def pending_mib(api: Api) -> float:
    return await api.metric("tidemark_api_outbox_pending_bytes") / (1 << 20)


async def full(api: Api, seen: Minute) -> None:
    """`small` is under load until it refuses, and goes on being so."""
    await eventually(lambda: seen.small.refused[503] > 5, 60, "a full outbox")

    async def one_refused() -> httpx.Response | None:  # a row alone may find room where two together did not
        answer = await api.predict(LARGE[0]["features"])
        return None if answer.status_code == 200 else answer

    refused = await eventually(one_refused, 20, "a refusal")
    seen.small_refusal = refused.status_code, refused.headers.get("retry-after", "")
    seen.small_state = await api.until("unavailable")
    seen.small_answers_before = len(seen.small.answers)


@pytest.fixture(scope="module")
async def minute(servers: Source, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Minute]:
    with servers.kafka(LASTING_SESSION_SECONDS) as kafka:
        names = ("busy", "small", "ended")
        apis = {}
        for name in names:
            await create_topics(kafka.bootstrap, f"{name}.")
            await asyncio.to_thread(a_compiled_version, shared_registry(), model=f"minute-{name}")
            more = {"outbox_max_bytes": 1 << 20} if name == "small" else {}
            apis[name] = Api(
                tmp_path_factory.mktemp(name),
                name,
                slim=True,
                model=f"minute-{name}",
                tracking_uri=shared_registry(),
                bootstrap=kafka.bootstrap,
                topic_prefix=f"{name}.",
                drain_seconds=DRAIN_SECONDS,
                **more,
            )
        busy, small, ended = (apis[name] for name in names)
        seen = Minute(Load(busy.url, BUSY, pause=0.03), Load(small.url, LARGE, connections=2, pause=0.1))
        async with running(busy), running(small), running(ended):
            for api in apis.values():
                await api.until("ready")
            async with seen.busy.on(), seen.small.on():
                await asyncio.to_thread(kafka.stop)
                await asyncio.gather(outage(busy, kafka, seen), full(small, seen), orderly_end(ended, seen))
                for api in apis.values():
                    await api.until("ready")
                await seen.small.more(20)
                await seen.busy.more(100)
            for api in apis.values():
                await api.drained()
            seen.skipped = seen.skipped[0], await ended.metric("tidemark_api_outbox_torn_bytes_total")
            seen.said = ended.process.tail(100)
        for name in names:
            there = await records(kafka.bootstrap, PREDICTIONS.named(f"{name}."))
            seen.found[name] = [header(record, "ce_id") for record in there]
            seen.counted += skipping_repeats(there)
        yield seen


async def test_no_prediction_fails_while_kafka_is_away_for_a_minute(minute: Minute):
    assert minute.busy.refused == {}
    assert minute.busy.lost == 0
    assert len(minute.busy.answers) > 1_000


async def test_the_state_is_degraded_all_the_while(minute: Minute):
    assert set(minute.states) == {"degraded"}


async def test_every_event_of_the_minute_is_on_kafka_once_it_is_back(minute: Minute):
    assert {answer.id for answer in minute.busy.answers} - set(minute.found["busy"]) == set()


async def test_what_came_twice_is_told_by_the_ids_alone(minute: Minute):
    assert sorted(minute.counted) == sorted({id_ for ids in minute.found.values() for id_ in ids})


async def test_memory_does_not_grow_with_the_backlog(minute: Minute):
    before, after = minute.memory_mib

    assert minute.backlog_mib > BACKLOG_MIB
    assert after - before < minute.backlog_mib / 4


async def test_a_full_outbox_gives_503_with_retry_after(minute: Minute):
    assert minute.small_refusal == (503, "5")
    assert set(minute.small.refused) == {503}
    assert minute.small.without_retry_after == 0
    said = minute.small_state["dependencies"]["outbox"]
    assert said["state"] == "away"
    assert said["detail"].startswith("full: as many bytes wait for Kafka as API_OUTBOX_MAX_BYTES allows")


async def test_a_full_outbox_takes_events_again_by_itself_and_has_lost_none(minute: Minute):
    assert len(minute.small.answers) >= minute.small_answers_before + 20
    assert minute.small.lost == 0
    assert {answer.id for answer in minute.small.answers} - set(minute.found["small"]) == set()


async def test_an_orderly_end_without_kafka_comes_by_itself(minute: Minute):
    """After API_DRAIN_SECONDS; aiokafka's own stop() would wait for ever. Api.stop() kills after 30 s: status -9."""
    assert minute.end_status == 0


async def test_the_next_start_sends_what_was_left_but_for_what_the_disk_damaged(minute: Minute):
    damaged = minute.left[10]
    assert [id_ for id_ in minute.left if id_ not in minute.found["ended"]] == [damaged]


async def test_what_the_disk_damaged_is_counted_and_said(minute: Minute):
    lost, counted = minute.skipped
    assert counted == lost
    said = [line.partition(" that are no whole group; ")[2] for line in minute.said]
    assert [line.strip('"}') for line in said if line] == [
        "the groups behind them are read",
        "nothing readable lies behind them",
    ]
