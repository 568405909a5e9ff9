"""Idle: closes a connection that has been idle after an answer for too long.

uvicorn makes a timer after every answer and takes it back at the next request: 2 us of processor time for something
that nearly never goes off. Here a connection has one timer for as long as it is used, which looks, when it goes off,
how long the connection has really been idle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Idle:
    """seconds: how long it may last. expired: called after that."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, expired: Callable[[], None]) -> None:
        self._loop = loop
        self._seconds = seconds
        self._expired = expired
        self._since: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """The connection is idle from now on."""
        self._since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._look)

    def cancel(self) -> None:
        """It is used again. (So named because uvicorn takes this for a timer.)"""
        self._since = None

    def end(self) -> None:
        """The connection is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._since is None:
            return  # a request is under way: its answer begins anew
        left = self._since + self._seconds - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self._expired()
