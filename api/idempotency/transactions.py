"""Transactions: the store for the event loop. One thread, and all that arrived while it worked goes into one of them.

SQLite may wait for another process or for the disk; a thread waits, the event loop does not. A transaction and its two
switches of threads cost some 100 us, so what arrives together shares them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from api.errors import IdempotencyAway
from api.idempotency.operations import Found, Operation
from api.idempotency.owners import Owners
from api.idempotency.store import Store
from api.telemetry import Telemetry

log = logging.getLogger(__name__)

Result = TypeVar("Result")
Waiting = tuple[Operation, "asyncio.Future[Found | None]"]


class Transactions:
    """now: the wall clock, milliseconds since the epoch."""

    def __init__(self, store: Store, owners: Owners, telemetry: Telemetry, now: Callable[[], int]) -> None:
        self._store = store
        self._owners = owners
        self._telemetry = telemetry
        self._now = now
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="idempotency")
        self._waiting: list[Waiting] = []
        self._working: asyncio.Task[None] | None = None
        self._away = False

    def do(self, operation: Operation) -> asyncio.Future[Found | None]:
        """What the store found. Raises IdempotencyAway, and then nothing was done."""
        future: asyncio.Future[Found | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((operation, future))
        if self._working is None:
            self._working = asyncio.create_task(self._work(), name="idempotency")
        return future

    async def in_thread(self, work: Callable[[], Result]) -> Result:
        """Between two transactions."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def close(self) -> None:
        """Finish what waits, and let go."""
        while self._working is not None:
            await asyncio.wait([self._working])
        await self.in_thread(self._release)
        self._thread.shutdown(wait=False)

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                try:
                    found = await self.in_thread(partial(self._run, [operation for operation, _ in batch]))
                except Exception as error:
                    for _, future in batch:
                        if not future.done():
                            future.set_exception(error)
                else:
                    for (_, future), one in zip(batch, found, strict=True):
                        if not future.done():
                            future.set_result(one)
        finally:
            self._working = None

    def _run(self, operations: list[Operation]) -> list[Found | None]:
        """In the thread."""
        try:
            self._owners.hold()
            found = self._store.run(operations)
        except Exception as error:  # whatever it is: who asked must learn that nothing was done
            expected = isinstance(error, IdempotencyAway | OSError)
            if not self._away or not expected:
                why = error.__cause__ or error
                text = "idempotency: keys cannot be kept, requests with one get 503: %s"
                log.error(text, why, exc_info=None if expected else error)
            self._away = True
            self._telemetry.idempotency_failures.inc()
            raise IdempotencyAway("Idempotency keys cannot be kept just now.") from error
        if self._away:
            log.info("idempotency: keys are kept again")
        self._away = False
        if self._store.purge_due():
            self._purge()
        return found

    def _purge(self) -> None:
        try:
            self._telemetry.idempotency_evicted.inc(self._store.purge(self._now()))
        except IdempotencyAway as error:
            log.warning("idempotency: old keys could not be removed: %s", error.__cause__)

    def _release(self) -> None:
        self._store.close()
        self._owners.release()
