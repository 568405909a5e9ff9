"""The audit while workers write: what moves between two readings is no fault, what stays wrong is one.

Stage 1 writes each batch's windows in front of its meta record; here every end that is asked for lies between the two.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from contracts.partials import PartialAggregate
from contracts.reports import encode_report
from contracts.topics import DRIFT_REPORTS, PREDICTIONS
from stream_app.audit import reading
from stream_app.audit.reading import audit
from stream_app.settings import StreamSettings
from stream_app.windowing.accumulator import Partition
from stream_app.windowing.merger import Merger, MergerConfig
from stream_app.windowing.state import PartitionMeta, encode_meta, meta_key
from stream_app.windowing.tumbling import WindowConfig
from tests.unit.stream_app.audit.memory_kafka import MemoryKafka
from tests.unit.stream_app.audit.test_audit import a_report
from tests.unit.stream_app.windowing.stand import EPOCH, FIRST, SECOND, a_record, a_value, by_digest, read

SETTINGS = StreamSettings(bootstrap="nowhere:9092", window_seconds=1, lateness_seconds=0)
COUNTS, WINDOWS = SETTINGS.counts_topic, SETTINGS.windows_topic


class Workers:
    """Stage 1 of one source partition, and stage 2. meta_as: what a fault makes of each meta record."""

    def __init__(self, kafka: MemoryKafka, meta_as: Callable[[PartitionMeta], PartitionMeta] = lambda meta: meta):
        self._kafka, self._meta_as = kafka, meta_as
        self._partition = Partition(0, WindowConfig(1_000))
        self._merger = Merger(0, MergerConfig(minimum_rows=1), by_digest())
        self._read, self._merged, self._time, self._meta_waits = 0, 0, 0, False

    def count(self) -> None:
        """A batch of both versions; its windows are on the topic, its meta record is not."""
        self.meta()
        records = []
        for baseline in (FIRST, SECOND, FIRST):
            self._time += 170
            records.append(a_record(self._read, a_value(self._time, sequence=self._read, baseline=baseline)))
            self._kafka.write(SETTINGS.topic(PREDICTIONS), b"", records[-1].value)
            self._read += 1
        touched = read(self._partition, records, FIRST, SECOND)
        *windows, _ = self._partition.stored(touched.keys)
        for key, value in windows:
            self._kafka.write(COUNTS, key, value)
        self._meta_waits = True

    def meta(self) -> None:
        if self._meta_waits:
            meta = self._partition.meta
            assert meta is not None
            self._kafka.write(COUNTS, meta_key(0), encode_meta(self._meta_as(meta)))
            self._meta_waits = False

    def hand_on(self) -> None:
        """Windows that are over move to stage 2, which closes them."""
        self.meta()
        for partial in self._partition.due():
            self._merge(partial)
        self._merger.on_heartbeat(self._partition.heartbeat(1, 1, silent=False))
        for closing in self._merger.due():
            start, end = (EPOCH + timedelta(milliseconds=ms) for ms in (closing.window_start, closing.window_end))
            report = replace(a_report(0, closing.rows, closing.version), partitions=dict(closing.partitions))
            report = replace(report, window_start=start, window_end=end)
            self._kafka.write(SETTINGS.topic(DRIFT_REPORTS), b"", encode_report(report))
            for key, value in self._merger.close(closing):
                self._kafka.write(WINDOWS, key, value)

    def _merge(self, partial: PartialAggregate) -> None:
        self._merged += 1
        for key, value in self._merger.on_partial(partial, self._merged):
            self._kafka.write(WINDOWS, key, value)
        self._kafka.write(COUNTS, self._partition.acknowledged(partial), None)

    def busy(self, topic: str) -> None:
        """As they are whenever an end is asked for."""
        if topic == COUNTS:
            self.count()
        elif topic == WINDOWS:
            for _ in range(5):
                self.count()
                self.hand_on()
            self.count()


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> MemoryKafka:
    kafka = MemoryKafka()
    kafka.instead_of_a_broker(monkeypatch)
    monkeypatch.setattr(reading, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(reading, "LOOK_SECONDS", 0.0)
    return kafka


async def test_a_reading_that_ends_between_a_batchs_windows_and_its_position_is_no_fault(kafka: MemoryKafka) -> None:
    workers = Workers(kafka)
    kafka.asked = lambda topic: workers.count() if topic == COUNTS else None
    assert (await audit(SETTINGS)).differences == ()


async def test_rows_that_are_counted_between_the_readings_of_the_two_stages_are_no_fault(kafka: MemoryKafka) -> None:
    workers = Workers(kafka)
    kafka.asked = workers.busy
    result = await audit(SETTINGS, recount=True)
    assert (result.differences, result.notes) == ((), ())
    assert [version.version for version in result.accounts.versions if version.reports and version.open_rows] == [
        "1",
        "2",
    ]


async def test_a_worker_that_died_between_two_writes_is_named(kafka: MemoryKafka) -> None:
    workers = Workers(kafka)
    workers.count()
    workers.count()
    assert {difference.kind for difference in (await audit(SETTINGS)).differences} == {"ahead", "rows"}


async def test_rows_that_are_missing_are_named_while_workers_write(kafka: MemoryKafka) -> None:
    def one_more(meta: PartitionMeta) -> PartitionMeta:
        name, account = ("flights", "1"), meta.accounts["flights", "1"]
        return replace(meta, accounts={**meta.accounts, name: replace(account, counted=account.counted + 1)})

    workers = Workers(kafka, one_more)
    kafka.asked = workers.busy
    [rows] = [difference for difference in (await audit(SETTINGS)).differences if difference.kind == "rows"]
    assert str(rows).startswith("flights/1: 1 rows are missing")


async def test_rows_that_go_on_getting_lost_under_traffic_are_named(kafka: MemoryKafka) -> None:
    def more_each_time(meta: PartitionMeta) -> PartitionMeta:
        name, account = ("flights", "1"), meta.accounts["flights", "1"]
        return replace(meta, accounts={**meta.accounts, name: replace(account, counted=account.counted + meta.read)})

    workers = Workers(kafka, more_each_time)
    kafka.asked = workers.busy
    result = await audit(SETTINGS)
    [rows] = [difference for difference in result.differences if difference.kind == "rows"]
    assert (rows.version, result.balanced, result.notes) == ("1", False, ())
    assert "rows are missing" in str(rows)
    assert "By reading: " in str(rows)
