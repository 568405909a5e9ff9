"""The load generator: sends bodies to `POST /predict` at a steady rate and keeps its own count of what was answered.

It is the outside witness of the accounts: an id that is in `Tally.answered` must be on the topic `predictions`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import aiohttp
import msgspec

RETRY_SECONDS = 0.25
_REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=30)


class _Answer(msgspec.Struct, frozen=True):
    prediction_id: str


_decode = msgspec.json.Decoder(_Answer).decode


@dataclass
class Tally:
    """What the sender knows. answered: prediction ids in the order of their answers; refused: by HTTP status.

    failed: connections that broke before an answer (the prediction may exist, but nobody was told).
    """

    answered: list[str] = field(default_factory=list)
    refused: Counter[int] = field(default_factory=Counter)
    failed: int = 0
    first_refusal: str = ""


async def send(
    bodies: Iterable[bytes],
    url: str,
    tally: Tally,
    *,
    rate: float,
    connections: int = 16,
    patience: float = 30.0,
    on_sent: Callable[[int], None] = lambda sent: None,
) -> None:
    """Send every body once, `rate` a second at the most (0: as fast as it goes), over `connections` in parallel.

    503 and broken connections are tried again for `patience` seconds, as a careful client does; a body refused with
    another status is counted and left. `on_sent` hears how many bodies have been taken up so far.
    """
    queue = iter(enumerate(bodies))
    began = time.perf_counter()
    target = url.rstrip("/") + "/predict"
    headers = {"content-type": "application/json"}

    async with aiohttp.ClientSession(
        timeout=_REQUEST_TIMEOUT, connector=aiohttp.TCPConnector(limit=connections), headers=headers
    ) as session:

        async def work() -> None:
            for number, body in queue:  # shared: each worker takes the next one
                if rate > 0:
                    ahead = number / rate - (time.perf_counter() - began)
                    if ahead > 0:
                        await asyncio.sleep(ahead)
                on_sent(number + 1)
                await _send_one(session, target, body, tally, patience)

        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(work())


async def _send_one(session: aiohttp.ClientSession, target: str, body: bytes, tally: Tally, patience: float) -> None:
    deadline = time.perf_counter() + patience
    while True:
        try:
            async with session.post(target, data=body) as response:
                answer, status = await response.read(), response.status
        except (aiohttp.ClientError, TimeoutError):
            tally.failed += 1
            status = 0
        if status == 200:
            tally.answered.append(_decode(answer).prediction_id)
            return
        if status not in (0, 503) or time.perf_counter() > deadline:
            tally.refused[status] += 1
            tally.first_refusal = tally.first_refusal or (
                answer.decode(errors="replace") if status else "no connection"
            )
            return
        await asyncio.sleep(RETRY_SECONDS)
