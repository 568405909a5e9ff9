"""Announcements: which versions' baselines are on Kafka, and what becomes of one that cannot get there.

No event leaves before the baseline of its version, with two exceptions, both said in the log, in
`versions_without_baseline` and, while they last, in /health/ready: a baseline that is lost, and one that Kafka refuses
as too large. Their events go out. Held back they would hold back all that was answered after them, for the ids of a
process must reach a partition in their order; let past and sent later they would be late for their windows, so no
better off than now: stage 1 puts them aside and a replay counts them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple, Protocol

from api.errors import BaselineRefused
from api.outbox.slots import Slot
from api.telemetry import Drained
from contracts.errors import InvalidBaseline

log = logging.getLogger(__name__)


class Taker(Protocol):
    """What is asked of api.publishing.producer.Producer here."""

    async def send_baseline(self, data: bytes) -> None: ...


class Refusal(NamedTuple):
    """A baseline that Kafka does not take. again: when it is tried again (stopwatch)."""

    data: bytes
    again: float


class Announcements:
    """Of one process's life. again: seconds between attempts to publish what was refused."""

    def __init__(self, telemetry: Drained, *, again: float, stopwatch: Callable[[], float]) -> None:
        self._telemetry = telemetry
        self._again = again
        self._stopwatch = stopwatch
        self._done: set[str] = set()
        self._refused: dict[str, Refusal] = {}

    @property
    def refused(self) -> list[str]:
        """Versions whose baseline Kafka does not take."""
        return list(self._refused)

    def due(self) -> list[str]:
        """Refused ones that are to be tried again now."""
        return [key for key in self._refused if self.open(key)]

    def open(self, key: str) -> bool:
        """Whether there is something to do about this version's baseline now."""
        refusal = self._refused.get(key)
        return key not in self._done and (refusal is None or self._stopwatch() >= refusal.again)

    async def announce(self, link: Taker, slot: Slot, key: str) -> None:
        """Publish a version's baseline; slot: where it is kept. Raises KafkaError."""
        refusal = self._refused.get(key)
        try:
            data = slot.baseline(key) if refusal is None else refusal.data  # its slot may be given back by now
        except OSError as error:
            self._without(key, f"it cannot be read in slot {slot.name}: {error.strerror}")
            return
        if data is None:  # they were answered: keeping them back would help nobody, and the topic may have it
            self._without(key, f"it is not kept in slot {slot.name}")
            return
        try:
            await link.send_baseline(data)
        except BaselineRefused as error:
            if refusal is None:
                log.error("publisher: %s; events of this version go out without it", error)
                self._telemetry.without_baseline.inc()
            # the broker has not counted it, the producer has: once it is taken it asks for a new connection
            self._refused[key] = Refusal(data, self._stopwatch() + self._again)
        except InvalidBaseline as error:
            self._without(key, f"what is kept of it is damaged: {error}")
        else:
            log.info("publisher: the baseline of %s is on Kafka", key)
            self._done.add(key)
            self._refused.pop(key, None)

    def _without(self, key: str, why: str) -> None:
        log.error("publisher: events of %s go out without their baseline: %s", key, why)
        self._telemetry.without_baseline.inc()
        self._done.add(key)
