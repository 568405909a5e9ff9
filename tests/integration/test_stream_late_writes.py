"""A worker that lost its partition writes its old state late, behind the new owner's: compaction must not keep that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from contracts.baseline import Baseline
from demo.stack.processes import ServiceProcess
from stream_app.windowing.state import WindowKey, decode_part, meta_key, parse_key
from tests.builders import a_baseline
from tests.servers.verbs import Broker
from tests.streams import Stream, expected_reports, random_events
from tests.waiting import eventually

Log = list[tuple[bytes, bytes | None]]


@pytest.fixture
async def stream(kafka: Broker, namespace: str, tmp_path: Path) -> AsyncIterator[Stream]:
    async with Stream(kafka.bootstrap, namespace, tmp_path, idle_seconds=120) as stream:
        yield stream


@pytest.fixture
async def baseline(stream: Stream) -> Baseline:
    baseline = a_baseline()
    await stream.publish_baseline(baseline)
    return baseline


class State:
    """The state topic of stage 1, partition 0."""

    def __init__(self, stream: Stream) -> None:
        self._stream, self.name = stream, stream.settings.counts_topic

    async def log(self) -> Log:
        records = await self._stream.records_of(self.name)
        return [(record.key, record.value) for record in records if record.partition == 0]

    async def counted(self, rows: int) -> tuple[bytes, bytes]:
        """The record of the window that has so many rows."""

        async def some() -> list[tuple[bytes, bytes]]:
            windows = [(key, value) for key, value in await self.log() if isinstance(parse_key(key), WindowKey)]
            return [(key, value) for key, value in windows if value and decode_part(value).rows == rows]

        found: list[tuple[bytes, bytes]] = await eventually(some, 20, f"a window of {rows} rows in the state")
        return found[-1]

    async def append(self, key: bytes, value: bytes) -> None:
        await self._stream.producer.send_and_wait(self.name, value, key=key, partition=0)

    async def ends_with(self, key: bytes, value: bytes | None) -> None:
        async def last() -> bool:
            return dict(await self.log())[key] == value

        await eventually(last, 20, "the owner's value behind the late one")

    async def compact(self) -> None:
        """Have Kafka keep the last record of each key, but for the one that is written now."""
        client = AIOKafkaAdminClient(bootstrap_servers=self._stream.bootstrap)
        await client.start()
        settings = {
            "cleanup.policy": "compact",
            "min.compaction.lag.ms": "0",
            "max.compaction.lag.ms": "1000",
            "min.cleanable.dirty.ratio": "0.001",
            "segment.ms": "500",
        }
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, self.name, configs=settings)])
        await client.close()

        async def compacted() -> bool:
            log = await self.log()
            # What lies in the segment that is written to is left alone: begin another one.
            await self.append(meta_key(0), next(value for key, value in log[::-1] if key == meta_key(0) and value))
            windows = [key for key, _ in log if isinstance(parse_key(key), WindowKey)]
            return len(windows) == len(set(windows))

        await eventually(compacted, 90, "a compacted state topic")


async def twice_written(stream: Stream) -> tuple[ServiceProcess, State, bytes, bytes, bytes]:
    """A worker that counts 200 events of one window, a hundred and a hundred; its key and the two values stored."""
    worker, state, start = stream.worker(), State(stream), stream.fresh_hour()
    await stream.ready(worker, partitions=8)
    events = random_events(200, start, per_second=100)
    await stream.send(events[:100], partition=lambda i: 0)
    key, former = await state.counted(100)
    await stream.send(events[100:], partition=lambda i: 0)
    _, latter = await state.counted(200)
    return worker, state, key, former, latter


async def test_rows_survive_a_late_write_and_the_compaction_behind_it(stream: Stream, baseline: Baseline) -> None:
    worker, state, key, former, latter = await twice_written(stream)
    await state.append(key, former)
    await state.ends_with(key, latter)
    await asyncio.to_thread(worker.kill)
    await state.compact()
    await asyncio.to_thread(worker.start)
    await stream.ready(worker, partitions=8)
    start = stream.fresh_hour() - timedelta(hours=1)
    await stream.send(random_events(80, start + timedelta(minutes=5), per_second=100, seed=99))
    (report,) = await stream.reported(200)
    events = random_events(200, start, per_second=100)
    assert [report] == expected_reports(events, baseline, [report])
    await stream.audit()


async def test_a_worker_that_finds_a_late_write_when_it_starts_writes_over_it(
    stream: Stream, baseline: Baseline
) -> None:
    worker, state, key, former, latter = await twice_written(stream)
    await asyncio.to_thread(worker.kill)
    await state.append(key, former)
    await asyncio.to_thread(worker.start)
    await stream.ready(worker, partitions=8)
    await state.ends_with(key, latter)


async def test_a_window_that_is_deleted_does_not_come_back(stream: Stream, baseline: Baseline) -> None:
    _, state, key, former, _ = await twice_written(stream)
    beyond = stream.fresh_hour() - timedelta(minutes=55)
    await stream.send(random_events(80, beyond, per_second=100, seed=99))
    await stream.reported(200)
    await state.ends_with(key, None)
    await state.append(key, former)
    await state.ends_with(key, None)
