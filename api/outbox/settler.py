"""Settler: makes the outbox durable, one sync at a time; all who wait while it runs share the next one.

Only here do the event loop, where groups are appended, and the thread, where a disk is waited for, meet. A sync that
fails is an error for everybody who waits, also for who came while it ran: with each_group all of their groups are taken
back together.
"""

from __future__ import annotations

import asyncio

from api.errors import OutboxClosed
from api.outbox.log import Outbox


class Settler:
    """All of it belongs to the event loop."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._waiting: list[asyncio.Future[None]] = []
        self._task: asyncio.Task[None] | None = None

    def settle(self) -> asyncio.Future[None]:
        """Done when all that is appended now survives a power cut. To be called right after an append: whoever lets
        others have their turn in between may wait for a sync although his group was taken back. Raises OutboxClosed.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.append(future)
        if self._task is None:
            self._task = loop.create_task(self._work(), name="settler")
        return future

    async def idle(self) -> None:
        """Returns when nobody waits."""
        while self._task is not None:
            await asyncio.wait([self._task])

    async def _work(self) -> None:
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                try:
                    mark = self._outbox.before_sync()
                    await asyncio.to_thread(self._outbox.sync)
                except Exception as error:
                    self._outbox.cut()
                    waiting, self._waiting = waiting + self._waiting, []
                    _refuse(waiting, error)
                else:
                    self._outbox.settled(mark)
                    for future in waiting:
                        if not future.done():
                            future.set_result(None)
        finally:
            self._task = None


def _refuse(waiting: list[asyncio.Future[None]], error: Exception) -> None:
    for future in waiting:
        if not future.done():
            said = error
            if isinstance(error, OSError):
                said = OutboxClosed("The outbox cannot be made durable.")
                said.__cause__ = error
            future.set_exception(said)
