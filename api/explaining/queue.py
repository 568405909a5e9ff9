"""ExplanationQueue: one explanation at a time, few waiting, each for a bounded time, by a process that may die.

The process starts at the first question, which waits for it; it holds one version. A question that lasts too long costs
the process its life, because nothing else would stop it; loading a version does not: the next question finds it ready.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from api.errors import ExplainBusy, ExplainTimeout, ScoringFailed
from api.explaining.messages import Question, Reply, Version
from api.explaining.process import ExplainingProcess, ProcessEnded
from contracts.encoder import Row

log = logging.getLogger(__name__)

_LOAD_SECONDS = 120.0


class ExplanationQueue:
    """most: how many may be asked for at a time. seconds: an answer's time limit. started: a process was."""

    def __init__(self, *, most: int, seconds: float, started: Callable[[], None]) -> None:
        self._most = most
        self._seconds = seconds
        self._started = started
        self._inside = 0
        self._turn = asyncio.Lock()
        self._process: ExplainingProcess | None = None
        self._holds: Version | None = None
        self._loading: asyncio.Task[None] | None = None

    async def explain(self, version: Version, row: Row, top: int) -> bytes:
        """The answer, JSON. Raises ExplainBusy, ExplainTimeout or ScoringFailed."""
        if self._inside >= self._most:
            raise ExplainBusy(f"{self._inside} explanations are waiting already. Try again later.")
        self._inside += 1
        try:
            async with asyncio.timeout(self._seconds), self._turn:
                return await self._answered(Question(version, row, top))
        except TimeoutError as error:
            raise ExplainTimeout(f"There is no explanation within {self._seconds:g} s. Try again later.") from error
        finally:
            self._inside -= 1

    async def close(self) -> None:
        """End the process."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
        await self._end()

    async def _answered(self, question: Question) -> bytes:
        try:
            reply = await self._asked(question)
        except ProcessEnded:  # killed meanwhile: once more, by a new one
            try:
                reply = await self._asked(question)
            except ProcessEnded as error:
                raise ExplainBusy("The process that explains ended twice. Try again later.") from error
        if reply.outcome == "failed":
            raise ScoringFailed(f"The model failed: {reply.body.decode()}")
        if reply.outcome == "gone":  # it held the version: cannot be
            raise ExplainBusy("The version cannot be explained just now. Try again later.")
        return reply.body

    async def _asked(self, question: Question) -> Reply:
        process = await self._ready(question.version)
        try:
            return await process.ask(question)
        except BaseException:  # given up: at the time limit, or because the API ends
            await self._end()
            raise

    async def _ready(self, version: Version) -> ExplainingProcess:
        """The process, with the version loaded. Raises ProcessEnded or ExplainBusy."""
        while True:
            if self._loading is not None:
                task = self._loading
                await asyncio.shield(asyncio.wait([task]))
                self._loading = None
                task.result()
            if self._process is not None and self._process.alive and self._holds == version:
                return self._process
            self._loading = asyncio.create_task(self._load(version), name="explaining")

    async def _load(self, version: Version) -> None:
        if self._process is None or not self._process.alive:
            await self._end()
            try:
                self._process = await ExplainingProcess.start()
            except OSError as error:
                raise ExplainBusy(f"The process that explains cannot be started: {error.strerror}.") from error
            self._started()
        self._holds = None
        try:
            async with asyncio.timeout(_LOAD_SECONDS):
                reply = await self._process.ask(Question(version))
        except BaseException:
            await self._end()
            raise
        if reply.outcome != "loaded":
            log.warning("explaining: %s cannot be loaded: %s", version.key, reply.body.decode())
            raise ExplainBusy(f"The files of {version.key} cannot be read. Try again later.")
        self._holds = version

    async def _end(self) -> None:
        process, self._process, self._holds = self._process, None, None
        if process is not None:
            process.kill()
            await asyncio.shield(process.wait())
