"""Frontier: how far the source partitions are together, as stage 2 hears it from their heartbeats.

Kept in memory only: after a restart nothing is known until every partition has been heard of again.
"""

from __future__ import annotations

from contracts.partials import Heartbeat

FOREVER = 1 << 62
"""Later than any window's end."""


class Frontier:
    """The last heartbeat of each source partition, of the newest generation of the consumer group."""

    __slots__ = ("_current", "_heard", "_reached", "_stale", "generation", "partitions")

    def __init__(self) -> None:
        self._heard: dict[int, Heartbeat] = {}
        self._current = 0
        self._reached: int | None = None
        self._stale = False
        self.generation = -1
        self.partitions = 0

    def hear(self, heartbeat: Heartbeat) -> bool:
        """Take a heartbeat in; False when it comes from a worker that has lost the partition since."""
        last = self._heard.get(heartbeat.partition)
        if last is not None and heartbeat.generation < last.generation:
            return False
        self._heard[heartbeat.partition] = heartbeat
        if heartbeat.generation > self.generation:
            self._current = 0
        if heartbeat.generation >= self.generation:
            self.generation, self.partitions = heartbeat.generation, heartbeat.partitions
            self._current += last is None or last.generation != heartbeat.generation
        self._stale = self._stale or self._matters(heartbeat, last)
        return True

    def _matters(self, heartbeat: Heartbeat, last: Heartbeat | None) -> bool:
        """Whether the least watermark may be another now: not when one that is not the least has moved on."""
        if last is None or last.generation != heartbeat.generation or last.idle != heartbeat.idle:
            return True
        if heartbeat == last:
            return False
        if self._reached is None or last.watermark is None or heartbeat.watermark is None:
            return True
        return last.watermark <= self._reached or heartbeat.watermark < self._reached

    def reached(self) -> int | None:
        """The time that all partitions have passed: no counts will come for a window that ends there or before.

        Every partition must have been heard of in the newest generation, for another owner may have to catch up
        first; None until then, and while one that is not idle has had no event. Idle partitions are not waited for:
        FOREVER when all are idle.
        """
        if not self._current or self._current < self.partitions:
            return None
        if self._stale:
            self._reached, self._stale = self._least(), False
        return self._reached

    def _least(self) -> int | None:
        least = FOREVER
        for beat in self._heard.values():
            if beat.generation == self.generation and not beat.idle:
                if beat.watermark is None:
                    return None
                least = min(least, beat.watermark)
        return least
