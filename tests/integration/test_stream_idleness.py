"""Stage 2 on a real broker: that everybody was idle closes no window whose counts come behind it, over a restart too.

Counts and heartbeats are written by hand, with a generation above the worker's own: so it is known what is heard when.
Those that lie there before it starts are of a former group, and are not heard.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from msgspec.structs import replace

from contracts.events import encode_event, event_decoder
from contracts.partials import Heartbeat, PartialAggregate, PartialMessage, encode_partial
from contracts.topics import WINDOW_PARTIALS, partition_of
from contracts.window import WindowCounts
from tests.builders import a_baseline
from tests.servers.verbs import Broker
from tests.streams import Stream, random_events
from tests.waiting import eventually

SOURCES = 8
BASELINE = a_baseline()
LOG = partition_of(BASELINE.model.encode(), WINDOW_PARTIALS.partitions)


def heard(watermark: int) -> list[PartialMessage]:
    return [Heartbeat(partition=i, partitions=SOURCES, generation=1000, watermark=watermark) for i in range(SOURCES)]


def idle(first: int, generation: int = 1000) -> list[PartialMessage]:
    """Every partition says so in two words, of these numbers; each names the one before."""
    word = Heartbeat(partition=0, partitions=SOURCES, generation=generation, watermark=None, idle=True)
    return [replace(word, partition=i, said=n, behind=n - 1) for n in (first, first + 1) for i in range(SOURCES)]


def a_part(start: datetime, partition: int, rows: int) -> PartialAggregate:
    """Of a window of 10 s."""
    decoder, counts = event_decoder(BASELINE.schema), WindowCounts(BASELINE)
    counts.add_events([decoder.decode(encode_event(event)) for event in random_events(rows, start, rows)])
    begins = round(start.timestamp() * 1000)
    return counts.partial(window_start=begins, window_end=begins + 10_000, partition=partition, offset=rows - 1)


async def say(stream: Stream, *messages: PartialMessage) -> int:
    """On the log that this model's counts go to; the offset behind them."""
    name = stream.topic(WINDOW_PARTIALS)
    for message in messages:
        at = await stream.producer.send_and_wait(name, encode_partial(message), partition=LOG)
    following: int = at.offset + 1
    return following


async def merged(stream: Stream, offset: int) -> None:
    """Until the worker has finished what lies before it, and committed."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stream.bootstrap)
    await admin.start()

    async def committed() -> bool:
        found = await admin.list_consumer_group_offsets(stream.settings.group)
        at = found.get(TopicPartition(stream.topic(WINDOW_PARTIALS), LOG))
        return at is not None and at.offset >= offset

    try:
        await eventually(committed, 60, f"offset {offset} of {WINDOW_PARTIALS.name}/{LOG} is committed")
    finally:
        await admin.close()


async def test_counts_behind_the_end_of_all_traffic_wait_for_those_of_the_others(
    kafka: Broker, namespace: str, tmp_path: Path
) -> None:
    async with Stream(kafka.bootstrap, namespace, tmp_path) as stream:
        await stream.publish_baseline(BASELINE)
        worker = stream.worker()
        await stream.ready(worker, SOURCES)
        start = stream.fresh_hour()
        await merged(stream, await say(stream, *idle(1)))
        await merged(stream, await say(stream, *idle(3)))  # it has caught up: they are believed
        await merged(stream, await say(stream, a_part(start, 0, 150)))
        assert await stream.reports() == []
        over = round((start + stream.window).timestamp() * 1000)
        await say(stream, a_part(start, 1, 200), *heard(over))
        assert [report.rows for report in await stream.reported(350)] == [350]

        worker.kill()
        second = start + stream.window
        behind = await say(stream, *idle(5, generation=1), a_part(second, 0, 150))
        await stream.ready(stream.worker(idle_seconds=3600), SOURCES, within=60)  # it says nothing of that kind itself
        await merged(stream, behind)
        assert len(await stream.reports()) == 1
        await say(stream, a_part(second, 1, 200), *heard(over + 10_000))
        assert [report.rows for report in await stream.reported(700)] == [350, 350]


async def test_heartbeats_that_a_deleted_group_has_left_hold_up_no_report(
    kafka: Broker, namespace: str, tmp_path: Path
) -> None:
    async with Stream(kafka.bootstrap, namespace, tmp_path) as stream:
        await stream.publish_baseline(BASELINE)
        start = stream.fresh_hour()
        await say(stream, *heard(round(start.timestamp() * 1000)))
        await stream.ready(stream.worker(), SOURCES)
        rows = await stream.send(random_events(160, start, 16))
        assert [report.rows for report in await stream.reported(rows)] == [rows]


async def test_a_burst_behind_a_silence_is_counted_whole_though_a_worker_was_stopped_when_it_came(
    kafka: Broker, namespace: str, tmp_path: Path
) -> None:
    async with Stream(kafka.bootstrap, namespace, tmp_path) as stream:
        await stream.publish_baseline(BASELINE)
        workers = [stream.worker() for _ in range(2)]
        for worker in workers:
            await stream.ready(worker, SOURCES // 2, within=60)
        start, rows = stream.fresh_hour(), 0
        for burst in range(6):
            stopped = workers[burst % 2]
            begin = start + 10 * burst * stream.window
            # Behind the window every partition gets what ends it: those of the other worker are past it at once.
            events = [
                *random_events(160, begin, 16, seed=2 * burst),
                *random_events(SOURCES, begin + 2 * stream.window, 1000, seed=2 * burst + 1),
            ]
            stopped.pause()
            await asyncio.sleep(0.15 * burst)
            rows += await stream.send(events)
            await asyncio.sleep(1.5)
            stopped.resume()
            await stream.reported(rows)  # and then all are idle again
        found = {report.window_start: report.rows for report in await stream.reports()}
        assert found == {
            start + (10 * burst + behind) * stream.window: count
            for burst in range(6)
            for behind, count in ((0, 160), (2, SOURCES))
        }
        assert [version.late_rows for version in (await stream.audit()).accounts.versions] == [0]
