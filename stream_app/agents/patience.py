"""Trying again until it works: an agent must never raise, for Faust would take the batch for done, and lose it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0
"""Seconds."""


class Lost(Exception):
    """The partition went to another worker, or its records come again: drop what is being done."""


class Clock(msgspec.Struct, frozen=True):
    """wall_ms: milliseconds UTC. seconds: a clock that never goes back. pause: sleep for seconds."""

    wall_ms: Callable[[], int]
    seconds: Callable[[], float]
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep


async def until_done(
    work: Callable[[], Awaitable[None]], failed: Callable[[float], None], stopping: Callable[[], bool], clock: Clock
) -> bool:
    """Call `work` until it returns or raises Lost. failed: called in each handler, with the pause that follows.

    Returns False when the worker is told to stop while `work` keeps failing: then it is not done.
    """
    pause = FIRST_PAUSE
    while True:
        try:
            await work()
            return True
        except Lost:
            return True
        except Exception:
            failed(pause)
        if stopping():
            return False
        await clock.pause(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
