"""Watching: what the worker writes to its topics, with the moment at which a reader sees it."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from contracts.alerts import decode_alert
from contracts.partials import PartialAggregate, decode_partial
from contracts.reports import decode_report
from contracts.topics import DRIFT_ALERTS, DRIFT_REPORTS, WINDOW_PARTIALS
from stream_app.settings import StreamSettings
from stream_app.windowing.state import MetaKey, decode_meta, parse_key

Key = tuple[str, int]
"""Model, and a window's end in milliseconds UTC."""


class Seen(NamedTuple):
    """When each thing was seen, seconds since the epoch. stored: by source partition (last offset, seen at); partials:
    the last one of a window. What came twice counts from the first time, but for partials."""

    stored: dict[int, list[tuple[int, float]]]
    partials: dict[Key, float]
    reports: dict[Key, float]
    alerts: dict[Key, float]


class Watch:
    """The records of four topics as they come; decoded when all is over, so that watching costs little."""

    def __init__(self, settings: StreamSettings) -> None:
        self._settings = settings
        self._records: list[tuple[float, ConsumerRecord]] = []
        self.reports = 0
        """So many records on `drift-reports` so far."""

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Inside the block records are taken down."""
        topics = [self._counts, *map(self._settings.topic, (WINDOW_PARTIALS, DRIFT_REPORTS, DRIFT_ALERTS))]
        async with AIOKafkaConsumer(
            *topics, bootstrap_servers=self._settings.bootstrap, auto_offset_reset="earliest"
        ) as consumer:
            reading = asyncio.create_task(self._read(consumer))
            try:
                yield
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            fetched = await consumer.getmany(timeout_ms=1000)
            now = time.time()
            for tp, records in fetched.items():
                self._records += [(now, record) for record in records]
                if tp.topic == self._settings.topic(DRIFT_REPORTS):
                    self.reports += len(records)

    @property
    def _counts(self) -> str:
        return self._settings.counts_topic

    def seen(self) -> Seen:
        """What was there. Raises InvalidMessage."""
        found = Seen(defaultdict(list), {}, {}, {})
        names = {self._settings.topic(topic): topic for topic in (WINDOW_PARTIALS, DRIFT_REPORTS, DRIFT_ALERTS)}
        for at, record in self._records:
            topic, value = names.get(record.topic), record.value
            if topic is None:
                key = parse_key(record.key)
                if isinstance(key, MetaKey) and value is not None:
                    found.stored[key.partition].append((decode_meta(value).last_offset, at))
            elif topic is WINDOW_PARTIALS:
                partial = decode_partial(value)
                if isinstance(partial, PartialAggregate):
                    found.partials[partial.model, partial.window_end] = at
            elif topic is DRIFT_REPORTS:
                report = decode_report(value)
                found.reports.setdefault((report.model, milliseconds(report.window_end)), at)
            else:
                alert = decode_alert(value)
                found.alerts.setdefault((alert.model, milliseconds(alert.window_end)), at)
        return found


def milliseconds(moment: datetime) -> int:
    """Since the epoch, UTC."""
    return round(moment.timestamp() * 1000)
