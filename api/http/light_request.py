"""LightRequest: one request of the light door, from its whole body to its answer in one write.

It stands where uvicorn has a RequestResponseCycle. No task carries it: the coroutine goes on at once until it waits for
something, which is nearly always the micro-batch, and again when that is done. A task would cost two more rounds of the
event loop. (So nothing on this way may ask for the current task, as asyncio.timeout does.)
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Protocol

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.server import ServerState

from api.http.edge import Edge
from api.http.heads import Heads
from api.http.one_write import Gathered
from api.http.problems import Reply
from api.http.responses import head_lines
from api.requests.headers import Raw

log = logging.getLogger(__name__)

CLOSE = ("connection", "close")


class Connection(Protocol):
    """What is asked of api.http.light_door.LightDoor."""

    gathered: Gathered
    flow: FlowControl
    loop: asyncio.AbstractEventLoop
    server_state: ServerState

    def on_response_complete(self) -> None: ...


class _NobodyWaits:
    """Where uvicorn has an event that its `receive` waits for."""

    def set(self) -> None: ...


class LightRequest:
    """disconnected, keep_alive, response_complete, message_event: uvicorn reads and sets them."""

    __slots__ = ("_connection", "_edge", "_heads", "_work", "disconnected", "keep_alive", "response_complete")

    message_event = _NobodyWaits()

    def __init__(self, connection: Connection, edge: Edge, heads: Heads) -> None:
        self._connection = connection
        self._edge = edge
        self._heads = heads
        self._work: Coroutine[Any, Any, None] | None = None
        self.disconnected = False
        self.keep_alive = True
        self.response_complete = False

    def start(self, raw: Raw, body: bytes) -> None:
        """body: whole, and within the endpoint's limit."""
        self._work = self._answer(raw, body)
        self._go_on()

    async def _answer(self, raw: Raw, body: bytes) -> None:
        edge, flow = self._edge, self._connection.flow
        begun = edge.stopwatch()
        edge.telemetry.under_way += 1
        try:
            reply = await edge.exchange.run(edge.endpoint, raw, body)
            if flow.write_paused:
                await flow.drain()
            self._send(reply)
        finally:
            edge.telemetry.under_way -= 1
        edge.telemetry.took(edge.stopwatch() - begun, edge.path, reply.status)

    def _send(self, reply: Reply) -> None:
        if self.disconnected:
            return
        if CLOSE in reply.headers:
            self.keep_alive = False
            end = b"\r\n"
        else:
            end = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
        connection = self._connection
        head = self._heads.of(reply.status, connection.server_state.default_headers)
        connection.gathered.write_now(b"".join((head, head_lines(reply), end, reply.body)))
        self.response_complete = True
        if not self.keep_alive:
            connection.gathered.close()
        connection.on_response_complete()

    def _go_on(self, _: object = None) -> None:
        assert self._work is not None
        try:
            awaited = self._work.send(None)
        except StopIteration:
            self._work = None
        except BaseException as error:  # as uvicorn does: a defect of one request ends its connection, no other's
            self._work = None
            log.error("a request could not be answered", exc_info=error)
            self._connection.gathered.close()
        else:
            if awaited is None:  # asyncio.sleep(0)
                self._connection.loop.call_soon(self._go_on)
            else:
                awaited._asyncio_future_blocking = False  # as asyncio.Task does: "I know that I have to wait for it"
                awaited.add_done_callback(self._go_on)
