"""The fast path: an ASGI callable in front of FastAPI that answers exactly POST /predict, /predict/batch and /labels.

Routing, dependencies and response objects of an empty FastAPI endpoint cost more (146 us a request) than the whole
prediction with its durable event (72 us). Everything else falls through to FastAPI, which has the same route too: for
the OpenAPI page, and as the plain path that a test compares this one with. In front of it stands `api.http.light_door`:
what comes here are the requests that it leaves alone.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from fastapi import FastAPI

from api.http.body import ClientGone, Receive
from api.http.exchange import Endpoint, Exchange
from api.http.responses import raw_headers
from api.telemetry import Telemetry

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Edge:
    """app: the whole API without the fast path. endpoint: the one that the light door knows, too; besides: others that
    are answered here. stopwatch: seconds.
    """

    def __init__(
        self,
        app: FastAPI,
        exchange: Exchange,
        endpoint: Endpoint,
        telemetry: Telemetry,
        besides: Sequence[Endpoint] = (),
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.app = app
        self.exchange = exchange
        self.endpoint = endpoint
        self.path = endpoint.path
        self.telemetry = telemetry
        self.stopwatch = stopwatch
        self._endpoints = {one.path: one for one in (endpoint, *besides)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        posted = scope["type"] == "http" and scope["method"] == "POST"
        endpoint = self._endpoints.get(scope["path"]) if posted else None
        if endpoint is None:
            await self.app(scope, receive, send)
            return
        begun = self.stopwatch()
        self.telemetry.under_way += 1
        try:
            reply = await self.exchange.run(endpoint, scope["headers"], receive, scope.get("client"))
            await send({"type": "http.response.start", "status": reply.status, "headers": raw_headers(reply)})
            await send({"type": "http.response.body", "body": reply.body})
        except ClientGone:
            return
        finally:
            self.telemetry.under_way -= 1
        self.telemetry.took(self.stopwatch() - begun, endpoint.path, reply.status)
