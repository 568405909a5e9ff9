"""One record of `drift-alerts`: to the sink, or, when that is not possible, to `dead-letters`. Then it is finished.

A dead letter holds all that sending it again needs: the record's key and value, byte for byte (`decode_alert(value)`
and `value` are what `Sink.deliver` takes), the sink's name, the attempts so far, reason and detail, and topic,
partition and offset of its origin. Reason `undeliverable`: worth sending again. `unreadable`: no alert,
no sink could take it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from contracts.alerts import DriftAlert, decode_alert
from contracts.dead_letters import DeadLetter, Reason
from contracts.errors import InvalidMessage
from stream_app.alerting.errors import DeliveryError, NotAcknowledged, Retry
from stream_app.alerting.lanes import Record
from stream_app.alerting.retry import Limits, backoff, carry, guarded
from stream_app.alerting.sink import Sink
from stream_app.alerting.telemetry import SinkTelemetry

_log = logging.getLogger(__name__)


class DeadLetterBox(Protocol):
    """Where records go that cannot be delivered."""

    async def put(self, letter: DeadLetter) -> None:
        """Returns when Kafka has it. Raises NotAcknowledged."""


async def pause(stopping: asyncio.Event, seconds: float) -> bool:
    """Wait, but no longer than until `stopping` is set; returns whether it is."""
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return False
    return True


class Courier:
    """random: uniform in [0, 1). clock: monotonic seconds. pause: as the function of this name."""

    def __init__(
        self,
        sink: Sink,
        box: DeadLetterBox,
        limits: Limits,
        telemetry: SinkTelemetry,
        *,
        random: Callable[[], float],
        clock: Callable[[], float],
        pause: Callable[[asyncio.Event, float], Awaitable[bool]] = pause,
    ) -> None:
        self._sink = sink
        self._box = box
        self._limits = limits
        self._telemetry = telemetry
        self._random = random
        self._clock = clock
        self._pause = pause

    async def handle(self, record: Record, stopping: asyncio.Event) -> bool:
        """True when the alert was delivered or is in the dead letters; False when it was left because of stopping."""
        try:
            alert = decode_alert(record.value or b"")
        except InvalidMessage as error:
            self._telemetry.unreadable()
            return await self._give_up(record, "unreadable", str(error), 0, stopping)

        attempt = guarded(self._sink.deliver)

        async def deliver(alert: DriftAlert, body: bytes) -> None:
            try:
                await attempt(alert, body)
            except DeliveryError:
                self._telemetry.attempted(delivered=False)
                raise
            self._telemetry.attempted(delivered=True)

        def failed(attempts: int, why: Retry, wait: float) -> None:
            _log.warning("alert %s: attempt %d failed (%s); the next one in %.1f s", alert.id, attempts, why, wait)

        outcome = await carry(
            deliver,
            alert,
            record.value or b"",
            limits=self._limits,
            pause=lambda seconds: self._pause(stopping, seconds),
            random=self._random,
            clock=self._clock,
            failed=failed,
        )
        self._telemetry.finished(outcome)
        if outcome.kind == "undeliverable":
            return await self._give_up(record, "undeliverable", outcome.detail, outcome.attempts, stopping)
        if outcome.kind == "delivered":
            what = f"{alert.transition} {alert.model}/{alert.version}"
            _log.info("alert %s (%s): delivered, attempts: %d", alert.id, what, outcome.attempts)
        return outcome.kind == "delivered"

    async def _give_up(
        self, record: Record, reason: Reason, detail: str, attempts: int, stopping: asyncio.Event
    ) -> bool:
        """Put the record into the dead letters, whole; waits for Kafka as long as it takes."""
        sink = self._sink.name
        letter = DeadLetter.of(record, reason, f"sink {sink}: {detail}", sink=sink, attempts=attempts)
        failures = 0
        while True:
            try:
                await self._box.put(letter)
            except NotAcknowledged as error:
                failures += 1
                if failures == 1:
                    _log.warning("dead letter for %s: %s; trying until Kafka takes it", letter.id, error)
                if await self._pause(stopping, backoff(failures, self._limits, self._random)):
                    return False
            else:
                _log.error("record %s is a dead letter now, %s: %s", letter.id, reason, letter.detail)
                return True
