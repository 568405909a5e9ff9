"""LightDoor: the fast path before ASGI. A POST /predict whose body is there with its headers, or in the next packet, is
answered here: ASGI's scope, events and messages, and the task that carries them, cost 15 to 17 us of processor time.

Some clients write once (aiohttp, curl, wrk), others head and body apart (http.client, requests, httpx). Whatever is not
just that goes uvicorn's ordinary way, to api.http.edge: a body that comes later, in more packets or is too long,
Expect, a query, HTTP/1.0, `Connection: close`, and what is sent before the answer to the request before it.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, cast

from starlette.types import ASGIApp

from api.http.edge import Edge
from api.http.heads import Heads
from api.http.idle import Idle
from api.http.light_request import LightRequest
from api.http.moment import Moment
from api.http.one_write import OneWrite


def door_to(app: ASGIApp) -> type[OneWrite]:
    """For uvicorn's setting `http`. The light door is only for an Edge that nothing stands around, as CORS would."""
    if not isinstance(app, Edge):
        return OneWrite
    return type("LightDoorTo", (LightDoor,), {"edge": app, "url_path": app.path.encode(), "heads": Heads()})


class LightDoor(OneWrite):
    """One connection. A request is held from the end of its headers to the end of its body, for one packet more and
    not longer than `wait_seconds`. Behind them the time limit of bodies holds, as for all others."""

    edge: ClassVar[Edge]
    url_path: ClassVar[bytes]
    heads: ClassVar[Heads]
    wait_seconds: ClassVar[float] = 0.005

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._held: bytes | None = None
        self._moment = Moment(self.loop, self.wait_seconds, self._let_go)
        self._idle = Idle(self.loop, self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        waited = self._moment.end()
        super().data_received(data)
        if self._held is not None:
            (self._let_go if waited else self._moment.begin)()

    def on_message_begin(self) -> None:
        """uvicorn's, but for ASGI's scope."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        self.unread = 0
        if _for_light_door(self):
            self._held = b""
        else:
            self._ordinary()

    def on_body(self, body: bytes) -> None:
        if self._held is None:
            super().on_body(body)
            return
        self._held += body
        if len(self._held) > self.edge.endpoint.limit:
            self._let_go()

    def on_message_complete(self) -> None:
        body, self._held = self._held, None
        if body is None:
            super().on_message_complete()
            return
        request = LightRequest(self, self.edge, self.heads)
        self.cycle = cast(Any, request)
        request.start(self.headers, body)

    def on_response_complete(self) -> None:
        """Of both ways. uvicorn's, with another timer."""
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._idle.begin()
        self.timeout_keep_alive_task = cast(asyncio.TimerHandle, self._idle)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._idle.end()
        self._moment.end()

    def shutdown(self) -> None:
        """uvicorn's: a request whose head is there is still answered."""
        self._let_go()
        super().shutdown()

    def _let_go(self) -> None:
        body, self._held = self._held, None
        if body is None or self.transport.is_closing():  # it was answered with 400
            return
        self._ordinary()
        if body:
            super().on_body(body)

    def _ordinary(self) -> None:
        """The end of headers, with the scope that `on_message_begin` left out."""
        url, headers, expect = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expect
        self.headers += headers  # the scope has this list
        super().on_headers_complete()


def _for_light_door(request: LightDoor) -> bool:
    """Asked at the end of its headers."""
    before, parser = request.cycle, request.parser
    return (
        request.url == request.url_path
        and (before is None or before.response_complete)
        and parser.get_method() == b"POST"
        and bool(parser.should_keep_alive())
        and parser.get_http_version() == "1.1"
        and not request.expect_100_continue
        and not parser.should_upgrade()
    )
