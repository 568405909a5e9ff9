"""Once: answers a request that carries an Idempotency-Key, the first time by working, after that from memory."""

from __future__ import annotations

import asyncio

import msgspec

from api.http.exchange import Call, Endpoint
from api.http.problems import Reply
from api.idempotency.ledger import Ledger
from api.idempotency.ticket import Ticket, digest_of
from api.telemetry import Telemetry

REPLAYED = (("idempotent-replayed", "true"),)


class Once:
    """Only asked for requests that have the header."""

    def __init__(self, ledger: Ledger, telemetry: Telemetry) -> None:
        self._ledger = ledger
        self._telemetry = telemetry
        self._under_way: set[asyncio.Task[Reply]] = set()

    async def answer(self, endpoint: Endpoint, call: Call) -> Reply:
        """Raises ApiError; then the key is free again, unless there is an event all the same."""
        key = call.headers.idempotency_key
        if key is None or not endpoint.once:
            return await endpoint.answer(call)
        digest = digest_of(call.client, endpoint.path, key)
        # a task of its own: whoever waits for it may be cancelled, and a key that was taken must be answered or freed
        work = asyncio.create_task(self._work(endpoint, call, digest))
        self._under_way.add(work)
        work.add_done_callback(self._under_way.discard)
        return await asyncio.shield(work)

    async def _work(self, endpoint: Endpoint, call: Call, digest: bytes) -> Reply:
        had = await self._ledger.take(digest, call.body)
        if not isinstance(had, Ticket):
            self._telemetry.idempotent.labels("replayed").inc()
            return Reply(endpoint.status, had, headers=REPLAYED)
        try:
            reply = await endpoint.answer(msgspec.structs.replace(call, ticket=had))
        except BaseException:
            if not had.committed:  # otherwise the event's record answers retries, once it is about to be published
                await self._ledger.drop(had)
            raise
        await self._ledger.finish(had, reply.body)
        self._telemetry.idempotent.labels("first").inc()
        return reply
