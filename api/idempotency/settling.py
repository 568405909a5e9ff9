"""Settling: what a dead process left decides about the keys that it had taken.

In short steps: its outbox may be large, and the requests with other keys wait for the same thread.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from functools import partial

from api.errors import IdempotencyAway
from api.idempotency.operations import Finish
from api.idempotency.owners import Owners
from api.idempotency.store import Store
from api.idempotency.transactions import Transactions

log = logging.getLogger(__name__)

_STEP_SECONDS = 0.02


class Settling:
    """stopwatch: seconds, monotonic."""

    def __init__(
        self,
        store: Store,
        owners: Owners,
        transactions: Transactions,
        *,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._owners = owners
        self._transactions = transactions
        self._stopwatch = stopwatch
        self._under_way: dict[str, asyncio.Task[bool]] = {}

    async def settled(self, owner: str) -> bool:
        """Settle the keys of a process that is dead, for all who ask meanwhile. False for one that lives.

        Raises IdempotencyAway.
        """
        task = self._under_way.get(owner)
        if task is None:
            task = self._under_way[owner] = asyncio.create_task(self._settle(owner), name="settling")
            task.add_done_callback(lambda _: self._under_way.pop(owner))
        return await asyncio.shield(task)

    def cancel(self) -> None:
        """Whoever asks next begins again."""
        for task in self._under_way.values():
            task.cancel()

    async def _settle(self, owner: str) -> bool:
        in_thread = self._transactions.in_thread
        try:
            if await in_thread(partial(self._owners.alive, owner)):
                return False
            if not await in_thread(partial(self._store.has_open, owner)):  # somebody did so meanwhile
                return True
            left = self._owners.left(owner)
            while await in_thread(partial(self._step, owner, left)):
                pass
        except OSError as error:
            raise IdempotencyAway("Idempotency keys cannot be kept just now.") from error
        log.info("idempotency: settled the keys of %s, which is gone", owner)
        return True

    def _step(self, owner: str, left: Iterator[list[Finish]]) -> bool:
        """In the thread. False when nothing is left."""
        until, found, more = self._stopwatch() + _STEP_SECONDS, list[Finish](), False
        for part in left:
            found += part
            if more := self._stopwatch() >= until:
                break
        if found:
            self._store.answer(owner, found)
        if not more:  # only who has read all of it knows that the other keys have no event
            self._store.free(owner)
            self._owners.forget(owner)
        return more
