"""Refusals: one log line for a request that was not answered as asked, with what helps to find its sender.

What was answered leaves no line: the event and the metrics have it, and a line costs more than the prediction. A line
has no feature, no entity and no key in it; the path is that of the route, without a query.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from api.logs.allowance import Allowance

log = logging.getLogger("api.refused")

_LONGEST_ID = 128


class Refusals:
    """clock: seconds. At most `per_second` lines for each category; the next line has the number of the others."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, per_second: int = 5) -> None:
        self._clock = clock
        self._allowance = Allowance(per_second)

    def note(self, category: str, status: int, path: str, request_id: bytes = b"", client: str = "") -> None:
        """category: as in the metric. request_id: as the client sent it. client: the name of its key."""
        suppressed = self._allowance.suppressed(category, self._clock())
        if suppressed is None:
            return
        more: dict[str, object] = {"suppressed": suppressed} if suppressed else {}
        if client:
            more["client"] = client
        if request_id:
            more["request_id"] = request_id[:_LONGEST_ID].decode("ascii", "replace")
        log.info("refused", extra={"category": category, "status": status, "path": path, **more})
