"""The records of one partition in lanes, one per key: in order within a model, side by side between models.

A receiver that keeps failing on one model's alert thus holds up that model alone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from typing import Generic, Protocol, TypeVar

from contracts.dead_letters import Origin
from stream_app.alerting.progress import Progress


class Record(Origin, Protocol):
    """What is used of a Kafka record. timestamp: milliseconds UTC."""

    @property
    def timestamp(self) -> int: ...


R = TypeVar("R", bound=Record)


class Lanes(Generic[R]):
    """handle(record, stopping) returns True when the record is finished, False when it was left because of stopping.

    earlier: offsets that were finished before, by whoever had the partition; they are not handled again.
    """

    def __init__(self, handle: Callable[[R, asyncio.Event], Awaitable[bool]], earlier: Collection[int] = ()) -> None:
        self._handle = handle
        self._stopping = asyncio.Event()
        self._waiting: dict[bytes | None, deque[R]] = {}
        self._tasks: dict[bytes | None, asyncio.Task[None]] = {}
        self._progress = Progress(earlier)
        self._failure: BaseException | None = None

    def add(self, record: R) -> None:
        """Put a record behind the earlier ones of its key."""
        if self._stopping.is_set() or not self._progress.took(record.offset):
            return
        self._waiting.setdefault(record.key, deque()).append(record)
        if record.key not in self._tasks:
            self._tasks[record.key] = asyncio.create_task(self._run(record.key))

    def halt(self) -> None:
        """Begin nothing new from now on."""
        self._stopping.set()

    async def stop(self) -> None:
        """Halt; returns when what is under way has ended."""
        self.halt()
        await asyncio.gather(*self._tasks.values())

    @property
    def position(self) -> int | None:
        """The offset to commit, None before the first record. Raises what a handler let through."""
        if self._failure is not None:
            raise self._failure
        return self._progress.position

    @property
    def beyond(self) -> str:
        """What is finished after the position: the commit's metadata."""
        return self._progress.beyond

    @property
    def in_hand(self) -> int:
        """Records taken and not finished."""
        return self._progress.unfinished

    @property
    def oldest(self) -> int | None:
        """Timestamp (ms UTC) of the oldest record in hand."""
        return min((lane[0].timestamp for lane in self._waiting.values()), default=None)

    async def _run(self, key: bytes | None) -> None:
        lane = self._waiting[key]
        try:
            while lane and not self._stopping.is_set():
                if not await self._handle(lane[0], self._stopping):
                    break
                self._progress.finished(lane.popleft().offset)
        except Exception as error:  # it belongs to whoever reads `position`, not to a task nobody awaits
            self._failure = error
            self._stopping.set()
        finally:
            del self._tasks[key]
            if not lane:
                del self._waiting[key]
