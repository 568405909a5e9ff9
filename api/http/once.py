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
        if not endpoint.once:
            return await endpoint.answer(call)
        digest = digest_of(call.client, endpoint.path, call.headers.idempotency_key)
        had = await self._ledger.take(digest, call.body)
        if not isinstance(had, Ticket):
            self._telemetry.idempotent.labels("replayed").inc()
            return Reply(200, had, headers=REPLAYED)
        # a task of its own: whoever waits for it may be cancelled, the key must be finished or free all the same
        work = asyncio.create_task(self._work(endpoint, msgspec.structs.replace(call, ticket=had), had))
        self._under_way.add(work)
        work.add_done_callback(self._under_way.discard)
        return await asyncio.shield(work)

    async def _work(self, endpoint: Endpoint, call: Call, ticket: Ticket) -> Reply:
        try:
            reply = await endpoint.answer(call)
        except BaseException:
            if not ticket.committed:  # otherwise the event's record answers retries, once it is published
                await self._ledger.drop(ticket)
            raise
        await self._ledger.finish(ticket, reply.body)
        self._telemetry.idempotent.labels("first").inc()
        return reply
