"""Wait for a condition with a deadline, instead of sleeping and hoping."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any

_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 0.25
PATIENCE = 4
"""A limit says when to give up, not how fast it must be: it is written for a quiet machine and holds for one that is so
many times slower. A test that passes is no slower for it. Not for limits that the product promises.
"""


def pause(waited: float) -> float:
    """Seconds until the next look: a twentieth of the wait so far, for a look costs processor time at both ends."""
    return min(max(waited / 20, _PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)


async def eventually(
    condition: Callable[[], Any | Awaitable[Any]],
    within: float,
    what: str,
    passing: tuple[type[Exception], ...] = (),
) -> Any:
    """Await until `condition()` (plain or async) is true, and return its value.

    within: seconds, on a quiet machine. what: the awaited state, for the failure message. passing: exceptions that mean
    "not yet" (for example a refused connection), as TimeoutError always does; every other one is raised at once.

    Raises AssertionError with the last value or exception when the deadline has passed.
    """
    began, last, within = time.monotonic(), "nothing", within * PATIENCE
    while True:
        try:
            # the limit is for conditions that hang, such as a fetch from a frozen server
            value = condition()
            if inspect.isawaitable(value):
                value = await asyncio.wait_for(value, max(began + within - time.monotonic(), _PAUSE_SECONDS))
            if value:
                return value
            last = f"the value {value!r}"
        except TimeoutError:
            last = f"no end of the condition itself (before that: {last})"
        except passing as error:
            last = f"{type(error).__name__}: {error}"
        if time.monotonic() - began > within:
            raise AssertionError(f"waited {within:g} s in vain for: {what}; last seen: {last}")
        await asyncio.sleep(pause(time.monotonic() - began))


def eventually_sync(
    condition: Callable[[], Any],
    within: float,
    what: str,
    passing: tuple[type[Exception], ...] = (),
) -> Any:
    """As `eventually`, for tests and fixtures without an event loop; the condition is a plain function."""
    began, last, within = time.monotonic(), "nothing", within * PATIENCE
    while True:
        try:
            if value := condition():
                return value
            last = f"the value {value!r}"
        except passing as error:
            last = f"{type(error).__name__}: {error}"
        if time.monotonic() - began > within:
            raise AssertionError(f"waited {within:g} s in vain for: {what}; last seen: {last}")
        time.sleep(pause(time.monotonic() - began))
