"""Silent connections: those that were opened, and whose next request's headers do not come to an end.

uvicorn closes a connection that is idle after an answer (`timeout_keep_alive`), and we bound the time of a body.
Between the two it waits for ever, for as much as is sent: neither the time nor the size of headers has a bound there (a
"slow loris" needs one byte a minute). So once a second its connections are looked over. That costs a request nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, NamedTuple

log = logging.getLogger(__name__)


class _Wait(NamedTuple):
    request: object  # the last one, done: another one means that the connection was used meanwhile
    since: float


class SilentConnections:
    """seconds: how long headers may take."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waits: dict[Any, _Wait] = {}

    def close(self, connections: Iterable[Any], now: float) -> int:
        """Close what has kept us waiting for too long, and say how many. now: seconds, monotonic.

        connections: uvicorn's HttpToolsProtocol, of which `cycle` is the last request, and `timeout_keep_alive_task`
        runs while the connection is idle after an answer.
        """
        waits: dict[Any, _Wait] = {}
        closed = 0
        for connection in connections:
            request = connection.cycle
            under_way = request is not None and not request.response_complete
            if under_way or connection.timeout_keep_alive_task is not None:
                continue
            before = self._waits.get(connection)
            wait = before if before is not None and before.request is request else _Wait(request, now)
            if now - wait.since < self._seconds:
                waits[connection] = wait
            else:
                connection.transport.close()
                closed += 1
        self._waits = waits
        if closed:
            log.info(
                "closed connections whose headers had not come", extra={"category": "headers-late", "count": closed}
            )
        return closed
