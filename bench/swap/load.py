"""Requests at a steady rate, each at its own moment whether or not the ones before are answered: what is slow is seen.

A request has failed when its answer is not 200, when its connection breaks, or when there is none in PATIENCE seconds.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

import aiohttp
import msgspec

PATIENCE = 10.0


class Answer(NamedTuple):
    """due: when it was to be sent, seconds since the epoch; took: from then to the answer, seconds."""

    id: str
    version: str
    role: str
    due: float
    took: float


class _Body(msgspec.Struct):
    prediction_id: str
    model_version: str
    role: str


class Load:
    """bodies: sent in turn. rate: requests/s. answers: so far; failures: in words."""

    def __init__(self, url: str, bodies: Sequence[bytes], rate: float) -> None:
        self.answers: list[Answer] = []
        self.failures: list[str] = []
        self._url = url + "/predict"
        self._bodies = itertools.cycle(bodies)
        self._rate = rate
        self._decode = msgspec.json.Decoder(_Body).decode

    @property
    def requests(self) -> int:
        """Sent and answered, or failed."""
        return len(self.answers) + len(self.failures)

    @asynccontextmanager
    async def on(self) -> AsyncIterator[None]:
        """Requests are sent meanwhile; at the end the last answers are waited for."""
        limit = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
        headers, patience = {"content-type": "application/json"}, aiohttp.ClientTimeout(total=PATIENCE)
        async with aiohttp.ClientSession(connector=limit, headers=headers, timeout=patience) as session:
            under_way: set[asyncio.Task[None]] = set()
            sending = asyncio.create_task(self._send(session, under_way))
            try:
                yield
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
                await asyncio.gather(*under_way)

    async def _send(self, session: aiohttp.ClientSession, under_way: set[asyncio.Task[None]]) -> None:
        begun = time.time()
        for number in itertools.count():
            due = begun + number / self._rate
            await asyncio.sleep(max(0.0, due - time.time()))
            task = asyncio.create_task(self._ask(session, next(self._bodies), due))
            under_way.add(task)
            task.add_done_callback(under_way.discard)

    async def _ask(self, session: aiohttp.ClientSession, body: bytes, due: float) -> None:
        try:
            async with session.post(self._url, data=body) as response:
                said = await response.read()
            if response.status != 200:
                self.failures.append(f"{response.status}: {said[:200].decode(errors='replace')}")
                return
            answer = self._decode(said)
        except (aiohttp.ClientError, TimeoutError, msgspec.MsgspecError) as error:
            self.failures.append(f"{type(error).__name__}: {error}")
            return
        self.answers.append(Answer(answer.prediction_id, answer.model_version, answer.role, due, time.time() - due))
