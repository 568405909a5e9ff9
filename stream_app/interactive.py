"""Commands that somebody waits for: a broker that is away is said at once and soon given up, and a signal ends them.

A worker is started by a machine and may wait for minutes; a person has most likely mistyped an address.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from stream_app import admin
from stream_app.settings import StreamSettings

PATIENCE_SECONDS = 10.0
"""A broker that was started a moment ago comes up within this."""
SIGNALLED = 128
"""A shell's exit status for what a signal ended is this and the signal's number."""
_LAST_SECONDS = 1.5
"""For connections to be closed when a signal has come; then the process goes."""

Insist = Callable[[float, int], None]
"""Called with seconds after which this process must be gone, whatever hangs, and the exit status it then has."""


@asynccontextmanager
async def connected(settings: StreamSettings, say: Callable[[str], None]) -> AsyncIterator[admin.Admin]:
    """An admin client, waited for a few seconds at most. Raises BrokerError.

    aiokafka's own lines about each try are kept back until it is connected: ours has said it, and what to do.
    """
    library = logging.getLogger("aiokafka")
    before = library.level
    if settings.log_level != "debug":
        library.setLevel(logging.CRITICAL)
    try:
        patience = min(settings.broker_wait_seconds, PATIENCE_SECONDS)
        async with admin.connected(settings, say, patience) as client:
            library.setLevel(before)
            yield client
    finally:
        library.setLevel(before)


async def until_signalled(
    work: Coroutine[Any, Any, int], insist: Insist, status_of: Callable[[int], int] = SIGNALLED.__add__
) -> int:
    """The work's exit status. SIGTERM or SIGINT cancels the work: then it is status_of the signal."""
    told: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def tell(number: int) -> None:
        if not told.done():
            told.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, tell, number)
    working = asyncio.create_task(work)
    await asyncio.wait({working, told}, return_when=asyncio.FIRST_COMPLETED)
    if working.done():
        return working.result()
    status = status_of(told.result())
    insist(_LAST_SECONDS, status)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    return status
