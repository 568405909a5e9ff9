"""An idle partition wakes up while the others end a window: the replay counts what the workers counted. Seconds."""

from __future__ import annotations

import asyncio
import random

import pytest
from msgspec.structs import replace

from contracts.partials import PartialAggregate, PartialMessage
from stream_app.agents.owned import Owned
from stream_app.agents.silence import Silence
from stream_app.replay.clocked import TICK_MS, ClockedReplay
from stream_app.replay.known import KnownBaselines
from stream_app.windowing.accumulator import Partition
from stream_app.windowing.decoding import Limits, decode_batch
from stream_app.windowing.forever import NEVER
from stream_app.windowing.merger import Merger, MergerConfig
from stream_app.windowing.tumbling import WindowConfig
from tests.unit.stream_app.agents.stand import Stand
from tests.unit.stream_app.replay.stand import DIGESTS, FIRST, KNOWN, SECOND, a_plan, judges, reports, rows
from tests.unit.stream_app.replay.test_clocked import Topic, run, summary_of
from tests.unit.stream_app.windowing.stand import Record

WINDOWS = WindowConfig(10_000, 0)
LIMITS = Limits(max_future_ms=1 << 50, max_age_ms=1 << 50)


def woken(at: float, speed: float = 1.0, until: float = 15.0) -> Topic:
    """Partition 0 has four events a second, of times that pass so much faster than the clock; 1 wakes up once."""
    topic = Topic(2)
    for i in range(round(until * 4)):
        topic.append(i / 4, speed * i / 4, 0)
    topic.append(at, speed * 9.5, 1)
    return topic


def count(partition: Partition, records: list[Record]) -> list[tuple[bytes, bytes]]:
    """Count records of a partition; what is to be stored."""
    decoded = decode_batch(records, KNOWN, LIMITS, final=True)
    return partition.stored(partition.apply(decoded, records[0].offset, records[-1].offset).keys)


async def live(topic: Topic, fetched: float) -> tuple[list[tuple[int, int]], int]:
    """Stage 1 of partition 1 with its real timer on a broker in memory, that of 0, which is never idle, and stage 2.

    fetched: seconds from when a record is there until it is counted. The reports' windows and rows, and late rows.
    """
    stand = Stand(FIRST)
    stand.source.partitions = frozenset({1})
    stand.owned = Owned(
        WINDOWS, stand.source, stand.store, stand.publisher, stand.baselines, stand.time.clock, stand.telemetry
    )
    stand.owned.restore([1])
    silence = Silence("predictions", 4.0, stand.owned, stand.telemetry)
    moving, merger = Partition(0, WINDOWS), Merger(0, MergerConfig(minimum_rows=1), DIGESTS)
    waiting, (last,) = list(topic.records[0]), topic.records[1]
    begin, heard, offset, sent, found = stand.time.now, 0, 0, False, list[tuple[int, int]]()

    def hear(message: PartialMessage) -> None:
        nonlocal offset
        if isinstance(message, PartialAggregate):
            merger.on_partial(message, offset)
            offset += 1
        else:
            merger.on_heartbeat(replace(message, partitions=2, generation=7))
        for closing in merger.due():
            merger.close(closing)
            found.append((closing.window_start // 1000, closing.rows))

    for tick in range(1, 60):
        now = tick / 2
        stand.time.now = begin + now
        batch = [record for record in waiting if record.timestamp < now * 1000]
        waiting = waiting[len(batch) :]
        if batch:
            count(moving, batch)
        for partial in moving.due():
            hear(partial)
            moving.acknowledged(partial)
        hear(moving.heartbeat(7, 2, silent=False))
        if not sent and now * 1000 > last.timestamp:
            sent = True
            stand.source.append(1, ago=now - last.timestamp / 1000)
        if sent and stand.owned.partition(1).next_offset is None and now > last.timestamp / 1000 + fetched:
            for key, value in count(stand.owned.partition(1), [last]):
                stand.store.put(1, key, value)
            stand.owned.heard[1] = stand.time.now
        await silence.tick()
        await asyncio.sleep(0)
        for message in stand.outlet.partials()[heard:]:
            heard += 1
            hear(message)
    return found, merger.version("flights", "1").late_rows


@pytest.mark.parametrize("at", [10.1, 10.4, 10.6, 10.9, 11.6, 11.9, 12.1, 12.5])
async def test_what_a_partition_brings_that_wakes_up_is_late_where_it_is_late_live(at: float) -> None:
    topic = woken(at)
    found, late = await live(topic, fetched=0.3)
    replay, replayed = run(topic, until=40)
    assert (rows(replayed)[0], summary_of(replay, replayed).late_at_merge) == (found[0], late)
    assert late == (1 if at > 11.5 else 0)  # stage 2 closes the window 1.5 s behind its end


@pytest.mark.parametrize("at", [0.6, 1.1, 1.4])
def test_where_event_time_runs_fast_whole_windows_wait_for_it(at: float) -> None:
    topic = Topic(2)
    for i in range(60):
        topic.append(i / 4, 20 * i / 4, 0)
    topic.append(10 + at, 20 * 10, 1)  # at 10 the others were at 200, so it is awake before that is carried
    replay, found = run(topic, until=40)
    assert summary_of(replay, found).late_at_merge == 0


class EveryTick(ClockedReplay):
    """Leaves out no tick, and takes none together."""

    def _next_tick(self) -> int | None:
        return self._now // TICK_MS * TICK_MS + TICK_MS

    def _without_a_change(self, until: int) -> int:
        return NEVER


@pytest.mark.parametrize("seed", [4, 5, 12, 40, 92, 265])
def test_the_ticks_that_are_left_out_change_nothing(seed: int) -> None:
    rng = random.Random(seed)
    count, speed, idle = rng.choice([1, 2, 3, 4]), rng.choice([1, 1, 20, 0.5]), rng.choice([500, 1000, 4000])
    topic, clock, lateness = Topic(count), 0.0, rng.choice([0, 0, 2000])
    awake = [rng.random() < 0.6 for _ in range(count)]
    for _ in range(rng.choice([60, 200])):
        clock += rng.choice([0.05, 0.1, 0.3, 0.7, 1.6] if rng.random() < 0.95 else [3, 7, 15])
        if rng.random() < 0.15:
            turned = rng.randrange(count)
            awake[turned] = not awake[turned]
        speaking = [i for i in range(count) if awake[i]] or [rng.randrange(count)]
        time = speed * (clock + rng.uniform(-3, 0.2) if rng.random() < 0.8 else clock - rng.uniform(0, 12))
        topic.append(clock, time, rng.choice(speaking), rng.choice([FIRST, SECOND]))
    plan, outcomes = a_plan(idle=idle, lateness=lateness), []
    for kind in (EveryTick, ClockedReplay):
        known = KnownBaselines(given=KNOWN)
        replay = kind(plan, known, judges(plan), starts=dict.fromkeys(topic.records, 0), ends={})
        for number, records in topic.records.items():
            replay.offer(number, records)
        found = replay.finish(round((clock + 60) * 1000))
        outcomes.append((reports(found), summary_of(replay, found).late_at_merge, replay.totals.late))
    assert outcomes[0] == outcomes[1]
