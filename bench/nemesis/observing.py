"""What the stream wrote: reports, with the moment each was first there, and the parts that windows were merged from."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from contracts.partials import PartialAggregate, decode_partial
from contracts.reports import DriftReport, decode_report
from stream_app.present import records
from stream_app.readiness import stopped

log = logging.getLogger(__name__)


class Reports:
    """Follows `drift-reports` like a reader that drops repeated ids. seen: by id, every report of that id in order;
    at: when the first of them was there, seconds since the epoch."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._bootstrap, self._topic = bootstrap, topic
        self.seen: dict[str, list[DriftReport]] = {}
        self.at: dict[str, float] = {}
        self._read = 0

    async def follow(self) -> None:
        """Until cancelled; outages of the broker are waited out."""
        consumer = AIOKafkaConsumer(
            self._topic, bootstrap_servers=self._bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
        )
        await consumer.start()
        try:
            while True:
                try:
                    fetched = await consumer.getmany(timeout_ms=200)
                except KafkaError as error:
                    log.warning("reports cannot be read (%r), trying again", error)
                    await asyncio.sleep(0.2)
                    continue
                now = time.time()
                for batch in fetched.values():
                    for record in batch:
                        report = decode_report(record.value)
                        self.seen.setdefault(report.id, []).append(report)
                        self.at.setdefault(report.id, now)
                        self._read = record.offset + 1
        finally:
            await stopped(consumer)

    async def caught_up(self, within: float) -> bool:
        """Whether all that is on the topic now was read in time."""
        async with AIOKafkaConsumer(self._topic, bootstrap_servers=self._bootstrap) as consumer:
            ends = await consumer.end_offsets(list(consumer.assignment()))
        return await eventually(lambda: self._read >= max(ends.values()), within)


async def parts_of(bootstrap: str, topic: str) -> list[PartialAggregate]:
    """Every partial aggregate that was ever sent, in the order of each partition of `window-partials`."""
    messages = [decode_partial(record.value) async for record in records(bootstrap, topic)]
    return [message for message in messages if isinstance(message, PartialAggregate)]


async def eventually(condition: Callable[[], bool], within: float) -> bool:
    """Whether a condition came true within so many seconds."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.1)
    return True
