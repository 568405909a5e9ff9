"""The source partitions that this worker owns: their state, and handing on what is final.

A partition's state is changed under its lock, by a batch (counting.py) or by the passing of time (silence.py).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable

import msgspec

from stream_app.agents.patience import Clock, Lost
from stream_app.agents.ports import KnownBaselines, Source, Store
from stream_app.agents.publishing import Publisher
from stream_app.windowing.accumulator import Partition
from stream_app.windowing.tumbling import WindowConfig


class Owned:
    """Stage 1 state by source partition, taken from the store when it is first needed. name: of this worker."""

    def __init__(
        self,
        windows: WindowConfig,
        source: Source,
        store: Store,
        publisher: Publisher,
        baselines: KnownBaselines,
        clock: Clock,
        name: str = "",
    ) -> None:
        self.source, self.store, self.publisher, self.clock = source, store, publisher, clock
        self._windows, self._baselines, self._name = windows, baselines, name
        self._partitions: dict[int, Partition] = {}
        self.locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.heard: dict[int, float] = {}
        """When each partition last had a batch, or was assigned; by the clock that never goes back."""

    def restore(self, partitions: Iterable[int]) -> None:
        """Take up the stored state of these partitions and forget all others. Raises InvalidMessage."""
        self._partitions.clear()
        self.locks.clear()
        self.heard = dict.fromkeys(partitions, self.clock.seconds())
        for number in self.heard:
            self.partition(number)

    def partition(self, number: int) -> Partition:
        """Its state. Raises InvalidMessage when that cannot be read."""
        if number not in self._partitions:
            self._partitions[number] = Partition.restore(
                number, self._windows, self.store.stored(), self._baselines.by_digest
            )
        return self._partitions[number]

    def reload(self, number: int) -> None:
        """Something failed half-way: the state in memory is not to be trusted, that of the store is."""
        self._partitions.pop(number, None)

    @property
    def next_offsets(self) -> dict[int, int]:
        """Reading must not begin later than there; 0 where nothing is stored."""
        return {number: partition.next_offset or 0 for number, partition in self._partitions.items()}

    def check(self, epoch: int) -> None:
        """Raises Lost when partitions were handed out anew since this epoch."""
        if epoch != self.source.epoch:
            raise Lost

    async def hand_on(self, number: int, epoch: int, *, always: bool, silent: bool = False) -> None:
        """Send what is final and, once acknowledged, delete it; then say how far time is.

        At once when a window ended, for its report waits for that; otherwise only if `always`.
        """
        partition, generation = self.partition(number), self.source.generation
        due = partition.due()
        if due:
            await self.publisher.partials(due)
            self.check(epoch)
            for partial in due:
                self.store.put(number, partition.acknowledged(partial), None)
        if due or always:
            heartbeat = partition.heartbeat(generation, self.source.count, silent)
            await self.publisher.heartbeat(msgspec.structs.replace(heartbeat, owner=self._name))
