"""Unread answers: connections whose clients take nothing more of what was written to them.

uvicorn waits for them for ever: a request under way until its answer may be written, and a connection that is to be
closed until its last bytes are gone. Both cost memory, and asking for a page needs no key. So once a second the
connections that have something left are looked over. That costs a request nothing.
"""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final, NamedTuple

log = logging.getLogger(__name__)

_TCP_INFO: Final[int | None] = getattr(socket, "TCP_INFO", None)
_ACKNOWLEDGED = struct.Struct("=120xQ")
"""`tcpi_bytes_acked` of Linux's `struct tcp_info`."""

_AT_ONCE = struct.pack("ii", 1, 0)


def acknowledged(transport: Any) -> int:
    """How many bytes the other end has taken so far. What is left to write is no measure: the kernel holds megabytes,
    and asks for more in large steps, so that it may stay the same for minutes while a client reads slowly.

    Where the kernel does not say, it is that all the same, as a number that rises while it shrinks.
    """
    if _TCP_INFO is None:
        return -int(transport.get_write_buffer_size())
    try:
        info = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _ACKNOWLEDGED.size)
    except OSError:  # it is being closed
        return 0
    return int(_ACKNOWLEDGED.unpack(info)[0])


def reset(transport: Any) -> None:
    """End it without waiting for what is left, here or in the kernel, which would go on offering that for minutes."""
    with suppress(OSError):  # it is being closed
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()


class _Wait(NamedTuple):
    taken: int
    since: float


class UnreadAnswers:
    """seconds: for how long a client may take nothing. taken: of a transport, rises with what its client takes.
    reset: ends one.
    """

    def __init__(
        self, seconds: float, taken: Callable[[Any], int] = acknowledged, reset: Callable[[Any], None] = reset
    ) -> None:
        self._seconds = seconds
        self._taken = taken
        self._reset = reset
        self._waits: dict[Any, _Wait] = {}

    def close(self, connections: Iterable[Any], now: float) -> int:
        """Break off what has taken nothing for too long, and say how many. now: seconds, monotonic.

        connections: uvicorn's, each with its `transport`.
        """
        waits: dict[Any, _Wait] = {}
        closed = 0
        for connection in connections:
            transport = connection.transport
            if not transport.get_write_buffer_size():
                continue
            taken, before = self._taken(transport), self._waits.get(connection)
            wait = before if before is not None and before.taken == taken else _Wait(taken, now)
            if now - wait.since < self._seconds:
                waits[connection] = wait
            else:
                self._reset(transport)
                closed += 1
        self._waits = waits
        if closed:
            log.info("closed connections that took no answer", extra={"category": "answer-unread", "count": closed})
        return closed
