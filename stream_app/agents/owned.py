"""The source partitions that this worker owns: their state, and handing on what is final.

A partition's state is changed under its lock, by a batch (counting.py) or by the passing of time (silence.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable

import msgspec

from stream_app.agents.patience import Clock, Lost
from stream_app.agents.ports import KnownBaselines, Source, Store
from stream_app.agents.publishing import Publisher
from stream_app.windowing.accumulator import Partition
from stream_app.windowing.tumbling import WindowConfig

log = logging.getLogger(__name__)


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
        self._handing: dict[int, asyncio.Task[None]] = {}
        self.heard: dict[int, float] = {}
        """When each partition last had a batch, or was assigned; by the clock that never goes back."""

    def restore(self, partitions: Iterable[int]) -> None:
        """Take up the stored state of these partitions and forget all others. Raises InvalidMessage."""
        self._partitions.clear()
        self._handing.clear()
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

    def hand_on_soon(self, number: int, epoch: int) -> None:
        """Where a window has ended, hand it on at once, for its report waits for that; counting does not wait.

        What fails here is still due at the next tick of silence.py.
        """
        if number not in self._handing and self.partition(number).is_due:
            task = self._handing[number] = asyncio.create_task(self._hand_on_all(number, epoch))
            task.add_done_callback(lambda task: self._handed_on(number, task))

    async def hand_on(self, number: int, epoch: int, *, silent: bool) -> None:
        """Send what is final and, once acknowledged, delete it; then say how far time is."""
        if number not in self._handing:  # else that will say it
            await self._send_due(number, epoch)
            await self._say(number, silent)

    async def handed_on(self) -> None:
        """Wait until nothing is being handed on."""
        await asyncio.gather(*self._handing.values(), return_exceptions=True)

    async def _hand_on_all(self, number: int, epoch: int) -> None:
        self.check(epoch)
        while self.partition(number).is_due:
            await self._send_due(number, epoch)
            await self._say(number, silent=False)
            self.check(epoch)

    async def _send_due(self, number: int, epoch: int) -> None:
        due = self.partition(number).due()
        await self.publisher.partials(due)
        self.check(epoch)
        for partial in due:
            self.store.put(number, self.partition(number).acknowledged(partial), None)

    async def _say(self, number: int, silent: bool) -> None:
        heartbeat = self.partition(number).heartbeat(self.source.generation, self.source.count, silent)
        await self.publisher.heartbeat(msgspec.structs.replace(heartbeat, owner=self._name))

    def _handed_on(self, number: int, task: asyncio.Task[None]) -> None:
        if self._handing.get(number) is task:
            del self._handing[number]
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, Lost):
            log.error(
                "partition %s: ended windows are not handed on yet, next try in half a second", number, exc_info=error
            )
