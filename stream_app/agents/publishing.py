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

    async def heartbeat(self, heartbeat: Heartbeat) -> asyncio.Future[list[object]]:
        """To every partition of the partials' topic, as any may hold windows. A lost one is made good by the next.

        The result is done when all of them have it.
        """
        to, value = self._to.partials, encode_partial(heartbeat)
        acks = [
            await self._outlet.publish(to.topic, value, key=None, partition=number, headers=[])
            for number in range(to.partitions)
        ]
        told = asyncio.gather(*acks)
        told.add_done_callback(_warn)
        return told

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


def _warn(told: asyncio.Future[list[object]]) -> None:
    if not told.cancelled() and (error := told.exception()) is not None:
        log.warning("a heartbeat was not sent: %s", error)
