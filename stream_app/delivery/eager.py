"""Eager: what can be done at once is done at once, without a task of its own.

Faust hands each message to its stream in a task, beside three others that wait for the end of the flow, of the service
or of the world. With batches of 16 events those four tasks cost as much as counting does, and handing over hardly ever
waits for anything.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any


class Begun:
    """Awaitable: the rest of a coroutine that was taken up to where it waits. waits_for: what it waits for there."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], waits_for: Any) -> None:
        self._coroutine, self._waits_for = coroutine, waits_for

    def __await__(self) -> Generator[Any, Any, Any]:
        waits_for = self._waits_for
        try:
            while True:
                try:
                    sent = yield waits_for
                except BaseException as error:  # also a cancellation: it is for the coroutine
                    waits_for = self._coroutine.throw(error)
                else:
                    waits_for = self._coroutine.send(sent)
        except StopIteration as end:
            return end.value


def begin(coroutine: Coroutine[Any, Any, Any], beside: Coroutine[Any, Any, Any]) -> Begun | None:
    """Run a coroutine up to where it waits; None when it has ended without waiting. Raises what it raises.

    beside: what it would be waited for together with; it is closed where there is nothing to wait for.
    """
    waits = False
    try:
        begun = Begun(coroutine, coroutine.send(None))
        waits = True
        return begun
    except StopIteration:
        return None
    finally:
        if not waits:
            beside.close()
