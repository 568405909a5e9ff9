"""The fast path: an ASGI callable in front of FastAPI that answers exactly POST /predict.

Routing, dependencies and response objects of an empty FastAPI endpoint cost more (146 us a request) than the whole
prediction with its durable event (72 us). Everything else falls through to FastAPI, which has the same route too: for
the OpenAPI page, and as the plain path that a test compares this one with.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi import FastAPI

from api.http.body import ClientGone, Receive
from api.http.exchange import Endpoint, Exchange
from api.http.responses import raw_headers
from api.telemetry import Telemetry

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Edge:
    """app: the whole API without the fast path. endpoint: the one that is answered here. stopwatch: seconds."""

    def __init__(
        self,
        app: FastAPI,
        exchange: Exchange,
        endpoint: Endpoint,
        telemetry: Telemetry,
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.app = app
        self._exchange = exchange
        self._endpoint = endpoint
        self._path = endpoint.path
        self._telemetry = telemetry
        self._stopwatch = stopwatch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != self._path or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        begun = self._stopwatch()
        self._telemetry.under_way += 1
        try:
            reply = await self._exchange.run(self._endpoint, scope["headers"], receive)
            await send({"type": "http.response.start", "status": reply.status, "headers": raw_headers(reply)})
            await send({"type": "http.response.body", "body": reply.body})
        except ClientGone:
            return
        finally:
            self._telemetry.under_way -= 1
        self._telemetry.took(self._stopwatch() - begun, self._path, reply.status)
