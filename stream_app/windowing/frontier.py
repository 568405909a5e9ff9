"""Frontier: how far the source partitions are together, as stage 2 hears it from their heartbeats.

Kept in memory only: after a restart nothing is known until every partition has been heard of again.
"""

from __future__ import annotations

from contracts.partials import Heartbeat


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

    def passed(self, window_end: int) -> bool:
        """Whether no partition will send counts for a window that ends there.

        Every partition must have been heard of in the newest generation, for another owner may have to catch up
        first; each is idle or its watermark is at the end or beyond.
        """
        now = [beat for beat in self._heard.values() if beat.generation == self.generation]
        if not self.partitions or len({beat.partition for beat in now}) < self.partitions:
            return False
        return all(beat.idle or (beat.watermark is not None and beat.watermark >= window_end) for beat in now)
