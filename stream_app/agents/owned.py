"""The source partitions that this worker owns: their state, and handing on what is final.

A partition's state is changed under its lock, by a batch (counting.py) or by the passing of time (silence.py). What is
handed on behind counting's back has no lock: so while it lasts silence.py leaves the partition alone.
"""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import msgspec

from contracts.partials import Heartbeat
from stream_app.agents.patience import FIRST_PAUSE, LONGEST_PAUSE, Clock, Lost
from stream_app.agents.ports import KnownBaselines, Source, Store
from stream_app.agents.publishing import Publisher
from stream_app.telemetry import Telemetry
from stream_app.windowing.accumulator import Partition
from stream_app.windowing.frontier import MOST_WORDS
from stream_app.windowing.tumbling import WindowConfig

log = logging.getLogger(__name__)
MOST_ENDED = 64
"""Ended windows of a partition that may wait while counting goes on; memory would have no bound else."""


class _Word(NamedTuple):
    """An idle heartbeat that is on the topic. said: names it. known: since when at the latest, milliseconds UTC."""

    said: int
    known: int


class Stage1(Protocol):
    """The state of one source partition, as far as its time goes; see windowing/accumulator.py."""

    @property
    def watermark(self) -> int | None: ...
    @property
    def next_offset(self) -> int | None: ...
    @property
    def open_windows(self) -> int: ...
    @property
    def ended(self) -> int: ...
    def gap(self, first_offset: int) -> int | None: ...
    def idle(self, now_ms: int) -> bool: ...
    def stored(self, keys: Any = ()) -> list[tuple[bytes, bytes]]: ...
    def heartbeat(self, generation: int, partitions: int, silent: bool) -> Heartbeat: ...


P = TypeVar("P", bound=Stage1)


class Owning(Generic[P]):
    """Stage 1 state by source partition, taken from the store when it is first needed. name: of this worker."""

    def __init__(
        self,
        source: Source,
        store: Store,
        publisher: Publisher,
        clock: Clock,
        telemetry: Telemetry,
        name: str = "",
    ) -> None:
        self.source, self.store, self.publisher, self.clock = source, store, publisher, clock
        self._telemetry, self._name = telemetry, name
        self._partitions: dict[int, P] = {}
        self.locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._handing: dict[int, asyncio.Task[None]] = {}
        self._words: defaultdict[int, deque[_Word]] = defaultdict(lambda: deque(maxlen=MOST_WORDS))
        self._pauses: dict[int, tuple[float, float]] = {}  # after a failure: how long, and until when
        self.heard: dict[int, float] = {}
        """When each partition last had a batch, or was assigned; by the clock that never goes back."""

    def restore(self, partitions: Iterable[int]) -> None:
        """Take up the stored state of these partitions and forget all others. Raises InvalidMessage."""
        self._partitions.clear()
        self._handing.clear()
        self._words.clear()
        self._pauses.clear()
        self.locks.clear()
        self.heard = dict.fromkeys(partitions, self.clock.seconds())
        for number in self.heard:
            self.partition(number)

    @abstractmethod
    def _restored(self, number: int) -> P:
        """A partition's state as it is stored."""

    @abstractmethod
    async def _send(self, number: int, epoch: int) -> None:
        """Send what is final and, once acknowledged, delete it."""

    def _is_due(self, number: int) -> bool:
        """Whether there is something to send."""
        return self.partition(number).ended > 0

    def partition(self, number: int) -> P:
        """Its state. Raises InvalidMessage when that cannot be read."""
        if number not in self._partitions:
            self._partitions[number] = self._restored(number)
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

    def is_handing_on(self, number: int) -> bool:
        """Whether its ended windows are on their way to stage 2 while counting goes on."""
        return number in self._handing

    async def hand_on_soon(self, number: int, epoch: int) -> None:
        """Where something is due (a window that has ended), hand it on at once, for a report waits for that.

        Under the partition's lock. Counting does not wait for it, unless more than MOST_ENDED wait. Raises Lost.
        """
        self._begin(number, epoch)
        while self.partition(number).ended > MOST_ENDED and not self.source.stopping:
            if (task := self._handing.get(number)) is None:
                await self.clock.pause(self._pause_left(number))
            else:
                await asyncio.wait([task])
            self.check(epoch)
            self._begin(number, epoch)

    async def hand_on(self, number: int, epoch: int, *, silent_at: int | None) -> None:
        """Send what is final and, once acknowledged, delete it; then say how far time is. Raises Lost.

        silent_at: when nothing waited, milliseconds UTC; None where that is not known, or there are events.
        """
        if self.is_handing_on(number):
            return  # that will say it
        if not self._pause_left(number):
            await self._send_due(number, epoch)
        await self._say(number, epoch, silent_at)

    async def handed_on(self) -> None:
        """Wait until nothing is being handed on."""
        await asyncio.gather(*self._handing.values(), return_exceptions=True)

    def _begin(self, number: int, epoch: int) -> None:
        if not self.is_handing_on(number) and self._is_due(number) and not self._pause_left(number):
            task = self._handing[number] = asyncio.create_task(self._hand_on_all(number, epoch))
            task.add_done_callback(lambda task: self._handed_on(number, task))

    async def _hand_on_all(self, number: int, epoch: int) -> None:
        self.check(epoch)
        while self._is_due(number):
            await self._send_due(number, epoch)
            await self._say(number, epoch, None)
            self.check(epoch)

    async def _send_due(self, number: int, epoch: int) -> None:
        try:
            await self._send(number, epoch)
        except Exception:
            self.check(epoch)
            longer, _ = self._pauses.get(number, (FIRST_PAUSE / 2, 0.0))
            pause = min(2 * longer, LONGEST_PAUSE)
            self._pauses[number] = pause, self.clock.seconds() + pause
            self._telemetry.retries.labels("hand-on").inc()
            log.warning("partition %s: ended windows are not handed on yet, next try in %g s", number, pause)
            raise
        self._pauses.pop(number, None)

    def _pause_left(self, number: int) -> float:
        """Seconds, after a failure, until the next try; 0 when it may be made."""
        _, until = self._pauses.get(number, (0.0, 0.0))
        return max(0.0, until - self.clock.seconds())

    async def _say(self, number: int, epoch: int, silent_at: int | None) -> None:
        self.check(epoch)  # or it would be said with the generation that another owner of these partitions has
        words, said = self._words[number], self.clock.wall_ms()
        found = self.partition(number).heartbeat(self.source.generation, self.source.count, silent_at is not None)
        if not found.idle or silent_at is None:
            words.clear()
            await self.publisher.heartbeat(msgspec.structs.replace(found, owner=self._name, said=said))
            return
        # It may come late, and it was found out a while ago: so it does not stand for the moment at which it is heard.
        behind = next((word.said for word in reversed(words) if word.known < silent_at), 0)
        while behind and words[0].said != behind:
            words.popleft()  # what is proven later is behind that one, too
        found = msgspec.structs.replace(found, owner=self._name, said=said, behind=behind)
        await self.publisher.heartbeat(found, lambda: words.append(_Word(said, self.clock.wall_ms())))

    def _handed_on(self, number: int, task: asyncio.Task[None]) -> None:
        if self._handing.get(number) is task:
            del self._handing[number]
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, Lost):
            log.error("partition %s: ended windows, or that they ended, were not handed on", number, exc_info=error)


class Owned(Owning[Partition]):
    """Those of `predictions`."""

    def __init__(
        self,
        windows: WindowConfig,
        source: Source,
        store: Store,
        publisher: Publisher,
        baselines: KnownBaselines,
        clock: Clock,
        telemetry: Telemetry,
        name: str = "",
    ) -> None:
        super().__init__(source, store, publisher, clock, telemetry, name)
        self._windows, self._baselines = windows, baselines

    def _restored(self, number: int) -> Partition:
        return Partition.restore(number, self._windows, self.store.stored(), self._baselines.by_digest)

    async def _send(self, number: int, epoch: int) -> None:
        due = self.partition(number).due()
        await self.publisher.partials(due)
        self.check(epoch)
        for partial in due:
            self.store.put(number, self.partition(number).acknowledged(partial), None)
