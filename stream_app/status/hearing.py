"""Hearing: when each source partition was last spoken for, by the clock of the machine that looks. Pure.

A heartbeat bears its worker's time, and clocks differ. So what comes while somebody looks was sent since they looked
before, whatever it says; and where a worker seems silent, they listen for a moment whether it speaks.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from contracts.partials import Heartbeat

SILENT_SECONDS = 5.0
"""A partition is spoken for twice a second; one that was not for so long has a worker that is stuck, or gone."""
LISTEN_SECONDS = 1.5
"""Some heartbeats of each partition come in that time."""


class Heard(msgspec.Struct, frozen=True):
    """The last heartbeat of a source partition, and when it was sent by this machine's clock; milliseconds UTC."""

    heartbeat: Heartbeat
    at: int


class Hearing:
    """Times are milliseconds UTC by this machine's clock, but for those of heartbeats."""

    def __init__(self) -> None:
        self.heard: dict[int, Heard] = {}
        self._began: int | None = None
        self._before: int | None = None
        self._newest: int | None = None
        self._listened: frozenset[tuple[int, int | None]] = frozenset()

    def begin(self, now: int) -> None:
        """A look begins: what take() is given was not there at the look before."""
        self._before, self._began, self._newest = self._began, now, None

    def take(self, message: Heartbeat, timestamp: int, now: int) -> None:
        """A heartbeat that bears this time."""
        self._newest = timestamp if self._newest is None else max(self._newest, timestamp)
        former = self.heard.get(message.partition)
        if former is None or former.heartbeat.generation <= message.generation:
            since = timestamp if self._before is None else max(timestamp, self._before)
            self.heard[message.partition] = Heard(message, min(since, now))

    def in_doubt(self, partitions: Iterable[int], now: int) -> bool:
        """Whether some of these seem silent that nobody has listened to since they spoke last."""
        last = {number: heard.at if (heard := self.heard.get(number)) else None for number in partitions}
        former = self._listened
        self._listened = frozenset((n, at) for n, at in last.items() if at is None or now - at > SILENT_SECONDS * 1000)
        return not self._listened <= former

    def clock_ahead(self, now: int) -> int:
        """By how many milliseconds this clock is ahead of the workers', half a second more or less; 0: nobody spoke.

        To be asked behind a look that came soon after the one before.
        """
        return 0 if self._newest is None else now - self._newest
