"""Greedy micro-batches: whatever arrived while the last batch was worked on is worked on together.

No timer: the first job of a pass of the event loop schedules the work for the end of that pass, so one connection
alone waits for nobody (.2 ms), and sixteen make batches of some eight. (Measured: 2,854 requests/s against 734 one at
a time, and a 2 ms window gives no more than this, with a worse tail.)

The work runs on the event loop, at most `rows` at a time. In a thread it would cost two switches a batch and hold the
interpreter's lock anyway; the bound keeps the longest pause to one batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Job = TypeVar("Job")
Answer = TypeVar("Answer")


class Batcher(Generic[Job, Answer]):
    """work: takes a batch, gives one answer or error for each of its jobs, in order; what it raises goes to all.

    settle: called right after work that gave an answer, and awaited before its answers go out, with no second batch
    meanwhile: an fdatasync for the group. What it raises goes to every job that had an answer.
    """

    def __init__(
        self,
        work: Callable[[list[Job]], list[Answer | Exception]],
        rows: int,
        settle: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._work = work
        self._rows = rows
        self._settle = settle
        self._waiting: list[tuple[Job, asyncio.Future[Answer]]] = []
        self._scheduled = False
        self._settling: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def waiting(self) -> int:
        """Jobs that are not worked on yet."""
        return len(self._waiting)

    def submit(self, job: Job) -> asyncio.Future[Answer]:
        """Join the next batch. To be called on the event loop."""
        if self._loop is None:  # asked once: on Python 3.11 each time is a system call
            self._loop = asyncio.get_running_loop()
        loop = self._loop
        future: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((job, future))
        self._schedule(loop)
        return future

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._scheduled and self._settling is None and self._waiting:
            self._scheduled = True
            loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        batch, self._waiting = self._waiting[: self._rows], self._waiting[self._rows :]
        futures = [future for _, future in batch]
        answers: list[Answer | Exception]
        try:
            answers = self._work([job for job, _ in batch])
        except Exception as error:  # every waiter hears of it; otherwise their requests would hang
            answers = [error] * len(batch)
        loop = asyncio.get_running_loop()
        if self._settle is None or all(isinstance(answer, Exception) for answer in answers):
            _resolve(futures, answers)
        else:
            self._settling = loop.create_task(self._settled(self._settle(), futures, answers))
        self._schedule(loop)

    async def _settled(
        self,
        settling: Awaitable[None],
        futures: list[asyncio.Future[Answer]],
        answers: list[Answer | Exception],
    ) -> None:
        try:
            await settling
        except Exception as error:
            answers = [answer if isinstance(answer, Exception) else error for answer in answers]
        finally:
            self._settling = None
            self._schedule(asyncio.get_running_loop())
        _resolve(futures, answers)


def _resolve(futures: list[asyncio.Future[Answer]], answers: list[Answer | Exception]) -> None:
    for future, answer in zip(futures, answers, strict=True):
        if future.done():  # the waiter has gone away
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
