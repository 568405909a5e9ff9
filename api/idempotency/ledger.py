"""Ledger: the store for the event loop. One thread, and all that arrived while it worked goes into one transaction.

SQLite may wait for another process or for the disk; a thread waits, the event loop does not. A transaction and its two
switches of threads cost some 100 us, so what arrives together shares them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from api.errors import IdempotencyAway, IdempotencyInProgress, IdempotencyMismatch
from api.idempotency.owners import Owners
from api.idempotency.store import Drop, Finish, Found, Operation, Store, Take
from api.idempotency.ticket import Ticket
from api.outbox.segments import Outcome
from api.telemetry import Telemetry

log = logging.getLogger(__name__)

Result = TypeVar("Result")
Waiting = tuple[Operation, "asyncio.Future[Found | None]"]

REMEMBER_ATTEMPTS = 3


class Ledger:
    """now: the wall clock, milliseconds since the epoch. retry_seconds: before a failed transaction is tried again."""

    def __init__(
        self,
        store: Store,
        owners: Owners,
        telemetry: Telemetry,
        *,
        now: Callable[[], int],
        retry_seconds: float = 1.0,
    ) -> None:
        self._store = store
        self._owners = owners
        self._telemetry = telemetry
        self._now = now
        self._retry_seconds = retry_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="idempotency")
        self._waiting: list[Waiting] = []
        self._working: asyncio.Task[None] | None = None
        self._unsaved: set[asyncio.Task[None]] = set()
        self._away = False

    async def take(self, digest: bytes, body: bytes) -> Ticket | bytes:
        """A ticket to do the work, or the answer that it had.

        Raises IdempotencyMismatch, IdempotencyInProgress or IdempotencyAway.
        """
        while True:
            operation = Take(digest, body, self._now())
            found = await self._do(operation)
            if found is None:
                return Ticket(digest, operation.now)
            if not found.same:
                raise IdempotencyMismatch(
                    "idempotency-mismatch",
                    "This Idempotency-Key was used for another request: use a new one for each request.",
                )
            if found.answer is not None:
                return found.answer
            if not await self._in_thread(partial(self._settle, found.owner)):
                raise IdempotencyInProgress(
                    "idempotency-in-progress", "The request with this Idempotency-Key is being worked on."
                )

    async def finish(self, ticket: Ticket, answer: bytes) -> None:
        """What a retry is to be answered from now on. When it cannot be kept now, it is tried again."""
        await self._done_sometime(Finish(ticket.digest, ticket.taken, answer))

    async def drop(self, ticket: Ticket) -> None:
        """There is no event and no answer: a retry is a first request."""
        await self._done_sometime(Drop(ticket.digest, ticket.taken))

    async def remember(self, outcomes: Sequence[Outcome]) -> None:
        """Before the records that carry them may be forgotten. A store that stays away does not hold events back for
        long: that would fill the disk that it may be waiting for.
        """
        finished = [Finish(outcome.digest, outcome.taken, outcome.answer) for outcome in outcomes]
        for attempt in range(REMEMBER_ATTEMPTS):
            try:
                await asyncio.gather(*map(self._do, finished))
                return
            except IdempotencyAway:
                if attempt + 1 < REMEMBER_ATTEMPTS:
                    await asyncio.sleep(self._retry_seconds)
        log.error(
            "idempotency: %d answers are not kept: after a crash now, a retry makes an event again", len(finished)
        )

    async def close(self) -> None:
        """Finish what waits, and let go. What could not be kept lies in the outbox's files."""
        for task in self._unsaved:
            task.cancel()
        while self._working is not None:
            await asyncio.wait([self._working])
        await self._in_thread(self._release)
        self._thread.shutdown(wait=False)

    def _do(self, operation: Operation) -> asyncio.Future[Found | None]:
        future: asyncio.Future[Found | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((operation, future))
        if self._working is None:
            self._working = asyncio.create_task(self._work(), name="idempotency")
        return future

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                try:
                    found = await self._in_thread(partial(self._run, [operation for operation, _ in batch]))
                except IdempotencyAway as error:
                    for _, future in batch:
                        if not future.done():
                            future.set_exception(error)
                else:
                    for (_, future), one in zip(batch, found, strict=True):
                        if not future.done():
                            future.set_result(one)
        finally:
            self._working = None

    async def _done_sometime(self, operation: Finish | Drop) -> None:
        try:
            await self._do(operation)
        except IdempotencyAway:  # until then a retry is told that the request is being worked on
            task = asyncio.create_task(self._until_done(operation))
            self._unsaved.add(task)
            task.add_done_callback(self._unsaved.discard)

    async def _until_done(self, operation: Finish | Drop) -> None:
        while True:
            await asyncio.sleep(self._retry_seconds)
            try:
                await self._do(operation)
                return
            except IdempotencyAway:
                continue

    def _run(self, operations: list[Operation]) -> list[Found | None]:
        """In the thread."""
        try:
            self._owners.hold()
            found = self._store.run(operations)
        except (IdempotencyAway, OSError) as error:
            if not self._away:
                log.error("idempotency: keys cannot be kept, requests with one get 503: %s", error.__cause__ or error)
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

    def _settle(self, owner: str) -> bool:
        """In the thread: settle the keys of a process that is dead. False for one that lives."""
        try:
            if owner == self._owners.own or self._owners.alive(owner):
                return False
            if not self._store.has_open(owner):  # somebody did so meanwhile
                return True
            self._store.settle(owner, self._owners.left(owner))
            self._owners.forget(owner)
        except OSError as error:
            raise IdempotencyAway("Idempotency keys cannot be kept just now.") from error
        log.info("idempotency: settled the keys of %s, which is gone", owner)
        return True

    def _release(self) -> None:
        self._store.close()
        self._owners.release()

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
