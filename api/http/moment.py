"""Moment: a short time that is waited for something, once or never."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Moment:
    """seconds: how long it lasts. over: called where nobody has ended it before."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, over: Callable[[], None]) -> None:
        self._loop, self._seconds, self._over = loop, seconds, over
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """It must not have begun."""
        self._timer = self._loop.call_later(self._seconds, self._over)

    def end(self) -> bool:
        """Whether it had begun since the last end, be it over or not."""
        timer, self._timer = self._timer, None
        if timer is None:
            return False
        timer.cancel()
        return True
