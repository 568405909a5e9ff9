"""Watch: tasks that run as long as the process does. One that ends by an error ends the process, in order.

Without it a task dies silently: an API whose publisher is gone would answer until its outbox is full. Who started the
process starts it again (the supervisor of several workers, the orchestrator of a container, systemd); what is in the
outbox stays there until then.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Coroutine

log = logging.getLogger(__name__)


def ask_to_end() -> None:
    """As SIGTERM from outside: the server lets requests finish, and then the lifespan ends."""
    signal.raise_signal(signal.SIGTERM)


async def leave(status: int) -> None:
    """End the process with this status, at the end of its lifespan; the server alone would say that all went well."""
    asyncio.get_running_loop().call_soon(sys.exit, status)
    await asyncio.sleep(0)


class Watch:
    """failed: whether a task has ended by itself. failing: called then, once."""

    def __init__(self, failing: Callable[[], None] = ask_to_end) -> None:
        self.failed = False
        self._failing = failing
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, name: str, work: Coroutine[None, None, None]) -> None:
        """Run this until end()."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def end(self) -> None:
        """Cancel all, and wait for them. How they end then is looked at, too."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        log.critical("task %s has ended; the process ends, in order", task.get_name(), exc_info=task.exception())
        if not self.failed:
            self.failed = True
            self._failing()
