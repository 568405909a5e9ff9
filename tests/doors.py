"""A door of the API on a real socket, within the test's own process, and what goes over the wire."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn

from api.http.edge import Edge
from api.http.exchange import Call
from api.http.light_door import door_to
from api.http.light_request import LightRequest
from api.http.one_write import OneWrite
from api.http.problems import Reply
from tests.serving import a_served, an_app, services
from tests.waiting import PATIENCE, eventually


class Answering:
    """A running server. received: set by each piece that it gets. light: requests that took the light door."""

    def __init__(self, server: uvicorn.Server, port: int) -> None:
        self.server = server
        self.port = port
        self.received = asyncio.Event()
        self.light = 0

    async def talk(self, *pieces: bytes) -> bytes:
        """All that comes back, until the server hangs up. Each piece is received by itself."""
        reader, writer = await self.connect()
        for piece in pieces:
            self.received.clear()
            writer.write(piece)
            await self.received.wait()
        async with asyncio.timeout(30 * PATIENCE):
            answer = await reader.read()
        writer.close()
        return answer

    async def ask(self, *requests: bytes) -> bytes:
        """The same; each request but the first is sent after the answer to the one before it."""
        reader, writer = await self.connect()
        answers = b""
        async with asyncio.timeout(30 * PATIENCE):
            for request in requests[:-1]:
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                answers += head + await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
            writer.write(requests[-1])
            answers += await reader.read()
        writer.close()
        return answers

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)


@asynccontextmanager
async def answering(
    app: Any, *, light: bool = True, wait: float | None = None, buffer: int | None = None, **config: Any
) -> AsyncIterator[Answering]:
    """app: an Edge, or what stands around or behind it. Without `light` the light door is left out; wait: see there.

    buffer: of the kernel, for what a connection sends.
    """
    found: list[Answering] = []

    class Counted(door_to(app) if light else OneWrite):  # type: ignore[misc]
        def data_received(self, data: bytes) -> None:
            found[0].received.set()
            super().data_received(data)

        def on_message_complete(self) -> None:
            before = self.cycle
            super().on_message_complete()
            found[0].light += self.cycle is not before and isinstance(self.cycle, LightRequest)

    if wait is not None:
        Counted.wait_seconds = wait  # type: ignore[attr-defined]
    listener = socket.create_server(("127.0.0.1", 0))
    if buffer is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
    options = {
        "server_header": False,
        "log_config": None,
        "access_log": False,
        "lifespan": "off",
        "timeout_graceful_shutdown": 3,
        **config,
    }
    server = uvicorn.Server(uvicorn.Config(app, http=Counted, **options))
    found.append(Answering(server, listener.getsockname()[1]))
    running = asyncio.create_task(server.serve([listener]))
    await eventually(lambda: server.started and server.server_state.default_headers, 10, "a started server")
    try:
        yield found[0]
    finally:
        server.should_exit = True
        await running


class Waiting:
    """An endpoint that answers when it is told to; with what it was sent."""

    path = "/predict"
    scope = "predict"
    limit = 1 << 16
    once = False
    status = 200
    room = None

    def __init__(self) -> None:
        self.begun = 0
        self.go = asyncio.Event()

    async def answer(self, call: Call) -> Reply:
        self.begun += 1
        await self.go.wait()
        return Reply(200, call.body, request_id="own")


def an_edge_that_waits(directory: Path) -> tuple[Edge, Waiting]:
    app, endpoint = an_app(directory, served=a_served()), Waiting()
    return Edge(app.app, app.exchange, endpoint, services(app).telemetry), endpoint
