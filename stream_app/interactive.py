"""Commands that somebody waits for: a broker that is away is said soon, at the start and later; a signal ends them.

A worker is started by a machine and may wait for minutes; a person has most likely mistyped an address.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Protocol

from stream_app import admin
from stream_app.settings import StreamSettings

PATIENCE_SECONDS = 10.0
"""A broker that was started a moment ago comes up within this."""
_LOOK_SECONDS, _LOOKS_IN_VAIN = 2.0, 2
"""Between two looks at a Kafka that is used, and that each may take: after the second in vain it is said."""
SIGNALLED = 128
"""A shell's exit status for what a signal ended is this and the signal's number."""
_LAST_SECONDS = 1.5
"""For connections to be closed when a signal has come; then the process goes."""

_log = logging.getLogger(__name__)

Insist = Callable[[float, int], None]
"""Called with seconds after which this process must be gone, whatever hangs, and the exit status it then has."""


class Looked(Protocol):
    """As admin.Admin."""

    trouble: str | None

    async def look(self, seconds: float) -> str | None: ...


def mute_library(settings: StreamSettings) -> None:
    """Keeps back what aiokafka says of each try: our own lines say it once, and what to do."""
    if settings.log_level != "debug":
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


@asynccontextmanager
async def connected(
    settings: StreamSettings, say: Callable[[str], None], shown: Callable[[], str] = str
) -> AsyncIterator[admin.Admin]:
    """An admin client, waited for a few seconds at most. Raises BrokerError.

    Within, a Kafka that no longer answers is said once, some 10 s later at most, and so is that it does again. shown:
    what is said besides, of what somebody sees meanwhile.
    """
    patience = min(settings.broker_wait_seconds, PATIENCE_SECONDS)
    async with (
        admin.connected(settings, say, patience) as client,
        looked_at(client, settings.bootstrap, say, shown),
    ):
        yield client


@asynccontextmanager
async def looked_at(
    client: Looked, address: str, say: Callable[[str], None], shown: Callable[[], str]
) -> AsyncIterator[None]:
    """Within, Kafka is looked at now and then. An error that no look expects is logged, and ends the looks alone."""
    looking = asyncio.create_task(_look_or_log(client, address, say, shown))
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.wait({looking})


async def _look_or_log(client: Looked, address: str, say: Callable[[str], None], shown: Callable[[], str]) -> None:
    try:
        await _look(client, address, say, shown)
    except Exception:
        _log.exception("it is no longer seen whether Kafka at %s answers", address)
        client.trouble = None  # nobody would ever say that it is over


async def _look(client: Looked, address: str, say: Callable[[str], None], shown: Callable[[], str]) -> None:
    vain = 0
    while True:
        found = await client.look(_LOOK_SECONDS)  # the first one at once: then it is known that it was there
        vain = 0 if found is None else vain + 1
        if client.trouble is not None and found is None:
            client.trouble = None
            say(f"Kafka at {address} answers again")
        elif client.trouble is None and vain == _LOOKS_IN_VAIN:
            client.trouble = found
            say(f"{found}{shown()}")
        await asyncio.sleep(_LOOK_SECONDS)


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
