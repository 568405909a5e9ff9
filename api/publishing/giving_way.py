"""GivingWay: while many rows are answered their events wait, for a bounded time, and are published afterwards.

Publishing a row costs the event loop as much as answering it, and a batch's client waits for the one only. What waits
lies durable in the outbox. After the stated time, or with the stated bytes waiting, publishing takes its turns whatever
is answered, and gives way again only once it has caught up: so nothing is held back for longer, however long batches
go on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

LOOK_SECONDS = 0.01
"""How often is looked whether there is still somebody to give way to."""
HIGH_RATE = 20_000.0
"""Rows of batches a second: a third of a core."""
SHARE = 4
"""The part of the outbox's bound that may wait: one of so many."""


class Bustle:
    """Whether rows of batches are answered at a high rate now. stopwatch: seconds, monotonic.

    rate: rows a second; reached when they have come at it for some tenths of a second, or in a burst of as many rows
    as it brings in a tenth. A level leaks by itself: level(t) = level(s) exp((s - t) / .1 s), and rows add to it.

    >>> clock = iter([5.0, 5.0, 5.01, 5.02, 5.03, 5.2])
    >>> bustle = Bustle(20_000, lambda: next(clock))
    >>> bustle.note(1_000); bustle.note(1_000); bustle.note(1_000)
    >>> bustle(), bustle()
    (True, False)
    """

    _MEMORY_SECONDS = 0.1

    def __init__(self, rate: float = HIGH_RATE, stopwatch: Callable[[], float] = time.monotonic) -> None:
        self._enough = rate * self._MEMORY_SECONDS
        self._stopwatch = stopwatch
        self._level = 0.0
        self._at = stopwatch()

    def note(self, rows: int) -> None:
        """So many rows are worked on."""
        self._leak()
        self._level += rows

    def __call__(self) -> bool:
        self._leak()
        return self._level >= self._enough

    def _leak(self) -> None:
        now = self._stopwatch()
        self._level *= math.exp((self._at - now) / self._MEMORY_SECONDS)
        self._at = now


class GivingWay:
    """busy: whether there is somebody to give way to. seconds: since all was published last; 0: never. bound: of the
    outbox, bytes. stopwatch: seconds, monotonic.
    """

    def __init__(
        self,
        busy: Callable[[], bool],
        *,
        seconds: float,
        bound: int,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        self._busy = busy
        self._seconds = seconds
        self._most_bytes = bound // SHARE
        self._stopwatch = stopwatch
        self._caught_up_at = float("-inf")

    def caught_up(self) -> None:
        """All that was committed a moment ago is published."""
        self._caught_up_at = self._stopwatch()

    def now(self, waiting_bytes: int) -> bool:
        """Whether publishing is to wait. waiting_bytes: in the outbox."""
        return (
            self._stopwatch() - self._caught_up_at < self._seconds and waiting_bytes < self._most_bytes and self._busy()
        )
