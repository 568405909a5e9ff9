"""Ledger: who may work on a key, what a retry of it is answered, and what becomes of the keys of dead processes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from api.errors import IdempotencyAway, IdempotencyInProgress, IdempotencyMismatch
from api.idempotency.breaker import Breaker
from api.idempotency.operations import Drop, Finish, Take
from api.idempotency.owners import Owners
from api.idempotency.settling import Settling
from api.idempotency.store import Store
from api.idempotency.ticket import Ticket
from api.idempotency.transactions import Transactions
from api.outbox.segments import Outcome
from api.telemetry import Telemetry

log = logging.getLogger(__name__)

REMEMBER_ATTEMPTS = 3
_LONGEST_PAUSE = 60.0
_KEPT_MOST = 1 << 14


class Ledger:
    """now: the wall clock, milliseconds since the epoch. retry_seconds: before a failed transaction is tried again.
    stopwatch: seconds, monotonic.

    waiting: how many requests wait here now.
    """

    def __init__(
        self,
        store: Store,
        owners: Owners,
        telemetry: Telemetry,
        *,
        now: Callable[[], int],
        retry_seconds: float = 1.0,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        self.waiting = 0
        self._own = owners.own
        self._telemetry = telemetry
        self._now = now
        self._retry_seconds = retry_seconds
        self._stopwatch = stopwatch
        self._transactions = Transactions(store, owners, telemetry, now)
        self._settling = Settling(store, owners, self._transactions, stopwatch=stopwatch)
        self._breaker = Breaker(first=retry_seconds, most=_LONGEST_PAUSE)
        self._open: dict[bytes, int] = {}  # keys that this process took, and that the store has no answer of yet
        self._kept: dict[bytes, int] = {}  # the latest keys of which it has: digest -> taken
        self._unsaved: dict[tuple[bytes, int], asyncio.Task[None]] = {}

    async def take(self, digest: bytes, body: bytes) -> Ticket | bytes:
        """A ticket to do the work, or the answer that it had.

        Raises IdempotencyMismatch, IdempotencyInProgress or IdempotencyAway.
        """
        self.waiting += 1
        try:
            return await self._take(digest, body)
        finally:
            self.waiting -= 1

    async def finish(self, ticket: Ticket, answer: bytes) -> None:
        """What a retry is to be answered from now on. When it cannot be kept now, it is tried again."""
        await self._done_sometime(Finish(ticket.digest, ticket.taken, answer))

    async def drop(self, ticket: Ticket) -> None:
        """There is no event and no answer: a retry is a first request."""
        await self._done_sometime(Drop(ticket.digest, ticket.taken))

    async def remember(self, outcomes: Sequence[Outcome]) -> None:
        """Before the records that carry them may be forgotten. A store that stays away does not hold events back for
        long, that would fill the disk that it may be waiting for: three attempts, and then one now and then.
        """
        finished = [
            Finish(outcome.digest, outcome.taken, outcome.answer)
            for outcome in outcomes
            if self._kept.get(outcome.digest) != outcome.taken
        ]
        if not finished or await self._kept_soon(finished):
            return
        self._telemetry.idempotency_unkept.inc(len(finished))
        for finish in finished:
            if self._open.get(finish.digest) == finish.taken:  # nobody else would answer it while this process lives
                self._later(finish)

    async def close(self) -> None:
        """Finish what waits, and let go. What could not be kept lies in the outbox's files."""
        for task in self._unsaved.values():
            task.cancel()
        self._settling.cancel()
        await self._transactions.close()

    async def _take(self, digest: bytes, body: bytes) -> Ticket | bytes:
        while True:
            operation = Take(digest, body, self._now())
            found = await self._transactions.do(operation)
            if found is None:
                self._open[digest] = operation.now
                return Ticket(digest, operation.now)
            if not found.same:
                raise IdempotencyMismatch(
                    "idempotency-mismatch",
                    "This Idempotency-Key was used for another request: use a new one for each request.",
                )
            if found.answer is not None:
                return found.answer
            if found.owner == self._own or not await self._settling.settled(found.owner):
                raise IdempotencyInProgress(
                    "idempotency-in-progress", "The request with this Idempotency-Key is being worked on."
                )

    async def _kept_soon(self, finished: list[Finish]) -> bool:
        if not self._breaker.may_try(self._stopwatch()):
            return False
        for attempt in range(1 if self._breaker.broken else REMEMBER_ATTEMPTS):
            if attempt:
                await asyncio.sleep(self._retry_seconds)
            try:
                await self._done(finished)
                return True
            except IdempotencyAway:
                continue
        if not self._breaker.broken:
            log.error(
                "idempotency: answers cannot be kept, their events are sent all the same: after a crash a retry of "
                "those makes a second event; tidemark_api_idempotency_unkept_total counts them"
            )
        self._breaker.failed(self._stopwatch())
        return False

    async def _done(self, operations: Sequence[Finish | Drop]) -> None:
        await asyncio.gather(*map(self._transactions.do, operations))
        for operation in operations:
            if self._open.get(operation.digest) == operation.taken:
                del self._open[operation.digest]
            if isinstance(operation, Finish):
                self._breaker.worked()
                self._kept[operation.digest] = operation.taken
        while len(self._kept) > _KEPT_MOST:
            del self._kept[next(iter(self._kept))]

    async def _done_sometime(self, operation: Finish | Drop) -> None:
        self.waiting += 1
        try:
            await self._done((operation,))
        except IdempotencyAway:  # until then a retry is told that the request is being worked on
            self._later(operation)
        finally:
            self.waiting -= 1

    def _later(self, operation: Finish | Drop) -> None:
        which = operation.digest, operation.taken
        if which not in self._unsaved:
            self._unsaved[which] = task = asyncio.create_task(self._until_done(operation))
            task.add_done_callback(lambda _: self._unsaved.pop(which))

    async def _until_done(self, operation: Finish | Drop) -> None:
        while True:
            await asyncio.sleep(self._retry_seconds)
            try:
                await self._done((operation,))
                return
            except IdempotencyAway:
                continue
