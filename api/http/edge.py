"""The fast path: an ASGI callable in front of FastAPI that answers exactly POST /predict.

Routing, dependencies and response objects of an empty FastAPI endpoint cost more (146 us a request) than the whole
prediction with its durable event (72 us). Everything else falls through to FastAPI, which has the same route too: for
the OpenAPI page, and as the plain path that a test compares this one with.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi import FastAPI

from api.http.body import ClientGone, Receive
from api.http.exchange import Endpoint, Exchange

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Edge:
    """app: the whole API without the fast path. endpoint: the one that is answered here."""

    def __init__(self, app: FastAPI, exchange: Exchange, endpoint: Endpoint) -> None:
        self.app = app
        self._exchange = exchange
        self._endpoint = endpoint
        self._path = endpoint.path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != self._path or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        try:
            reply = await self._exchange.run(self._endpoint, scope["headers"], receive)
        except ClientGone:
            return
        headers = [(b"content-length", b"%d" % len(reply.body)), (b"content-type", reply.content_type.encode())]
        headers += [(name.encode(), value.encode()) for name, value in reply.headers]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})
