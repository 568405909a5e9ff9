"""Pace: how long the publisher waits for what, and how it waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from api.outbox.segments import Record

Result = TypeVar("Result")


@dataclass(frozen=True)
class Pace:
    """In seconds. linger: pause when nothing waits. warn: without an acknowledgement Kafka counts as away.
    limit: without one the group is sent again. adopt: between looks for abandoned outboxes, and between attempts to
    publish a baseline that was refused. retry: before a new
    connection. check: between questions to Kafka and Redis without traffic.
    """

    linger: float
    warn: float
    limit: float
    adopt: float
    retry: float = 1.0
    check: float = 2.0


async def a_turn_later(work: Callable[[Sequence[Record]], Awaitable[Result]], records: Sequence[Record]) -> Result:
    """Two such works that began in one turn of the event loop would hold it for the sum of both."""
    await asyncio.sleep(0)
    return await work(records)


@asynccontextmanager
async def limited(seconds: float, without: str) -> AsyncIterator[None]:
    """A timeout that says what it waited for."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise TimeoutError(f"{without} within {seconds:g} s") from error
