"""PlainPath: FastAPI, with what every answer has put around all of it, its own error answers too: X-Request-Id, and the
time that it took. (A middleware of FastAPI stands inside of what answers unexpected errors.)
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from api.http.request_id import fresh_id
from api.http.responses import CLIENT_GONE, REQUEST_ID
from api.requests.headers import read_headers
from api.requests.origin import own_request_id
from api.telemetry import Telemetry

OTHER = "other"
"""The route of a request that no route takes: its path may be anything, and each label is kept for ever."""

IN_SCOPE = "tidemark.request_id"
"""The request id in ASGI's scope, for log lines."""


class PlainPath(FastAPI):
    """stopwatch: seconds, monotonic. settings: FastAPI's."""

    def __init__(
        self, telemetry: Telemetry, *, stopwatch: Callable[[], float] = time.perf_counter, **settings: Any
    ) -> None:
        super().__init__(**settings)
        self._series = telemetry
        self._clock = stopwatch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        status = 0
        id_ = own_request_id(read_headers(scope["headers"])) or fresh_id()
        scope[IN_SCOPE] = id_

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if all(name != REQUEST_ID for name, _ in message["headers"]):
                    message["headers"] = [*message["headers"], (REQUEST_ID, id_.encode())]
            await send(message)

        begun = self._clock()
        self._series.under_way += 1
        try:
            await super().__call__(scope, receive, named)
        finally:
            self._series.under_way -= 1
            if status not in (0, CLIENT_GONE):  # then nobody was answered
                self._series.took(self._clock() - begun, self._route_of(scope), status)

    def _route_of(self, scope: Scope) -> str:
        """Its template. FastAPI names the route in the scope, but not those of its own pages, which are fixed paths."""
        route = scope.get("route")
        if route is not None:
            return str(route.path)
        path: str = scope["path"]
        return path if any(isinstance(page, Route) and page.path == path for page in self.routes) else OTHER
