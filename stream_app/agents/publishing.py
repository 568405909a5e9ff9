"""Publisher: what a worker sends, to which topic and partition, with its CloudEvents headers.

Everything but a heartbeat is awaited until the broker has it: what comes after (a tombstone, a closed window, a
commit) relies on that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import msgspec

from contracts.alerts import DriftAlert, encode_alert
from contracts.dead_letters import DeadLetter, encode_dead_letter
from contracts.headers import (
    DEAD_LETTERED,
    DRIFT_ALERTED,
    DRIFT_REPORTED,
    PERFORMANCE_REPORTED,
    Headers,
    cloud_event,
)
from contracts.label_partials import LabelPartial, encode_label_partial
from contracts.partials import Heartbeat, PartialAggregate, encode_partial
from contracts.performance import PerformanceReport, encode_performance
from contracts.reports import DriftReport, encode_report
from contracts.topics import partition_of
from stream_app.agents.ports import Outlet

log = logging.getLogger(__name__)


class Address(msgspec.Struct, frozen=True):
    """A topic's full name and its number of partitions."""

    topic: str
    partitions: int


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where a worker writes. partials, reports: `window-partials` and `drift-reports`, or where labels are counted
    `label-partials` and `performance`.
    """

    partials: Address
    reports: Address
    alerts: Address
    dead_letters: Address


class Publisher:
    """Sends through an outlet. source: names the group of workers, in the headers. now: wall clock, for them too."""

    def __init__(
        self, outlet: Outlet, addresses: Addresses, source: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._outlet, self._to, self._source, self._now = outlet, addresses, source, now

    async def partials(self, partials: Iterable[PartialAggregate]) -> None:
        """Final counts, each to its model's partition; returns when all are acknowledged."""
        await self._parts((partial.model, encode_partial(partial)) for partial in partials)

    async def label_partials(self, parts: Iterable[LabelPartial]) -> None:
        """How windows stand, likewise."""
        await self._parts((part.model, encode_label_partial(part)) for part in parts)

    async def heartbeat(self, heartbeat: Heartbeat, told: Callable[[], None] | None = None) -> None:
        """To every partition of the partials' topic, as any may hold windows. A lost one is made good by the next.

        told: called when all of them have it.
        """
        to, value = self._to.partials, encode_partial(heartbeat)
        done = _warn if told is None else _Last(to.partitions, told)
        for number in range(to.partitions):
            ack = await self._outlet.publish(to.topic, value, key=None, partition=number, headers=[])
            asyncio.ensure_future(ack).add_done_callback(done)

    async def report(self, report: DriftReport) -> None:
        """To `drift-reports`, acknowledged."""
        headers = self._headers(DRIFT_REPORTED, report.id)
        await self._keyed(self._to.reports, report.model.encode(), encode_report(report), headers)

    async def performance(self, report: PerformanceReport) -> None:
        """To `performance`, acknowledged."""
        headers = self._headers(PERFORMANCE_REPORTED, report.id)
        await self._keyed(self._to.reports, report.model.encode(), encode_performance(report), headers)

    async def alert(self, alert: DriftAlert) -> None:
        """To `drift-alerts`, acknowledged."""
        headers = self._headers(DRIFT_ALERTED, alert.id)
        await self._keyed(self._to.alerts, alert.model.encode(), encode_alert(alert), headers)

    async def dead_letters(self, letters: Iterable[DeadLetter]) -> None:
        """To `dead-letters`; returns when all are acknowledged."""
        to = self._to.dead_letters
        acks = []
        for letter in letters:
            key, headers = letter.id.encode(), self._headers(DEAD_LETTERED, letter.id)
            number = partition_of(key, to.partitions)
            acks.append(
                await self._outlet.publish(
                    to.topic, encode_dead_letter(letter), key=key, partition=number, headers=headers
                )
            )
        await asyncio.gather(*acks)

    async def _parts(self, parts: Iterable[tuple[str, bytes]]) -> None:
        """parts: each with its model."""
        to = self._to.partials
        acks = [
            await self._outlet.publish(
                to.topic,
                value,
                key=model.encode(),
                partition=partition_of(model.encode(), to.partitions),
                headers=[],
            )
            for model, value in parts
        ]
        await asyncio.gather(*acks)

    async def _keyed(self, to: Address, key: bytes, value: bytes, headers: Headers) -> None:
        await (
            await self._outlet.publish(
                to.topic, value, key=key, partition=partition_of(key, to.partitions), headers=headers
            )
        )

    def _headers(self, kind: str, id_: str) -> Headers:
        return cloud_event(kind, id_, self._source, time=self._now().isoformat())


class _Last:
    """Of so many acknowledgements the last one calls `then`; none does where one failed."""

    def __init__(self, number: int, then: Callable[[], None]) -> None:
        self._left, self._then = number, then

    def __call__(self, ack: asyncio.Future[object]) -> None:
        if _warn(ack):
            self._left -= 1
            if not self._left:
                self._then()


def _warn(ack: asyncio.Future[object]) -> bool:
    """Whether it was sent; a warning where it was not."""
    if ack.cancelled():
        return False
    if (error := ack.exception()) is not None:
        log.warning("a heartbeat was not sent: %s", error)
    return error is None
