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

    failed: connections that broke before an answer (the prediction may exist, but nobody was told). gave_up: nobody
    answered a body in time, so the rest was not sent.
    """

    answered: list[str] = field(default_factory=list)
    refused: Counter[int] = field(default_factory=Counter)
    failed: int = 0
    first_refusal: str = ""
    gave_up: bool = False

    def refuse(self, status: int, text: str) -> None:
        """Count a body that got no prediction. status 0: no connection."""
        self.refused[status] += 1
        self.first_refusal = self.first_refusal or text


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

    503 and broken connections are tried again for `patience` seconds, as a careful client does, and then no more
    are sent; a body refused with another status is counted and left. `on_sent` hears how many were taken up.
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
                if tally.gave_up:
                    return
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
            try:
                tally.answered.append(_decode(answer).prediction_id)
            except msgspec.MsgspecError:
                tally.refuse(status, f"an answer without a prediction_id: is {target} this API?")
            return
        if status not in (0, 503):
            tally.refuse(status, answer.decode(errors="replace"))
            return
        if time.perf_counter() > deadline:
            tally.refuse(status, answer.decode(errors="replace") if status else f"no connection to {target}")
            tally.gave_up = True
            return
        await asyncio.sleep(RETRY_SECONDS)
