"""Keeper: starts a service that has ended again, and gives up on one that ends again and again.

One that cannot run at all ends at once, every time: then the installation ends too, and says why.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable

from demo.errors import ServiceFailed
from demo.stack.processes import ServiceProcess

RESTARTS, WITHIN_SECONDS = 5, 60.0
"""A service may be started again so often within so long."""


class Keeper:
    """tell: hears of each restart. clock: seconds that only rise."""

    def __init__(self, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._tell, self._clock = tell, clock
        self._restarts: defaultdict[str, deque[float]] = defaultdict(deque)

    def tend(self, services: Iterable[ServiceProcess]) -> None:
        """Look at each once. Raises ServiceFailed when one has ended too often."""
        for service in services:
            status = service.returncode
            if status is None:
                continue
            now, restarts = self._clock(), self._restarts[service.name]
            while restarts and restarts[0] <= now - WITHIN_SECONDS:
                restarts.popleft()
            if len(restarts) == RESTARTS:
                often = f"ended {RESTARTS + 1} times within {WITHIN_SECONDS:g} s, at last with status {status}"
                raise ServiceFailed(service.name, often, service.log, service.tail(8))
            restarts.append(now)
            service.start()
            self._tell(f"{service.name} ended with status {status}, started again (process {service.pid})")
