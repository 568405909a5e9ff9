"""Frontier: how far the source partitions are together, as stage 2 hears it from their heartbeats.

Kept in memory only: after a restart nothing is known until every partition has been heard of again.
"""

from __future__ import annotations

from contracts.partials import Heartbeat

FOREVER = 1 << 62
"""Later than any window's end."""


class Frontier:
    """The last heartbeat of each source partition, of the newest generation of the consumer group."""

    __slots__ = ("_heard", "fenced", "generation", "partitions")

    def __init__(self) -> None:
        self._heard: dict[int, Heartbeat] = {}
        self.generation = -1
        self.partitions = 0
        self.fenced = 0

    def hear(self, heartbeat: Heartbeat) -> bool:
        """Take a heartbeat in; False when it comes from a worker that has lost the partition since."""
        last = self._heard.get(heartbeat.partition)
        if last is not None and heartbeat.generation < last.generation:
            self.fenced += 1
            return False
        self._heard[heartbeat.partition] = heartbeat
        if heartbeat.generation >= self.generation:
            self.generation, self.partitions = heartbeat.generation, heartbeat.partitions
        return True

    def reached(self) -> int | None:
        """The time that all partitions have passed: no counts will come for a window that ends there or before.

        Every partition must have been heard of in the newest generation, for another owner may have to catch up
        first; None until then, and while one that is not idle has had no event. Idle partitions are not waited for:
        FOREVER when all are idle.
        """
        now = [beat for beat in self._heard.values() if beat.generation == self.generation]
        if not now or len(now) < self.partitions:
            return None
        awaited = [beat.watermark for beat in now if not beat.idle]
        known = [watermark for watermark in awaited if watermark is not None]
        return min(known, default=FOREVER) if len(known) == len(awaited) else None
