"""An HTTP(S) receiver in the test's own process, on loopback, that answers well or as badly as it is told."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple


class Posted(NamedTuple):
    """One request. headers: names in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[Posted, asyncio.StreamWriter], Awaitable[None]]


def status(code: int, headers: Mapping[str, str] | None = None, body: bytes = b"", phrase: str = "As It Is") -> Answer:
    """An ordinary answer."""

    async def answer(posted: Posted, writer: asyncio.StreamWriter) -> None:
        head = [f"HTTP/1.1 {code} {phrase}", f"content-length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in (headers or {}).items()]
        writer.write("\r\n".join([*head, "", ""]).encode() + body)
        await writer.drain()

    return answer


async def echo_refusal(posted: Posted, writer: asyncio.StreamWriter) -> None:
    """400, with everything that was received in phrase, headers and body: what a receiver may do with a secret."""
    all_of_it = " | ".join([posted.line, *posted.headers.values()])
    headers = {"x-echo": all_of_it, "set-cookie": all_of_it, "www-authenticate": all_of_it}
    await status(400, headers, (all_of_it + posted.body.decode()).encode(), phrase=all_of_it)(posted, writer)


async def echo_redirect(posted: Posted, writer: asyncio.StreamWriter) -> None:
    """308, to the same path of another scheme, as receivers do that want HTTPS."""
    await status(308, {"location": f"https://{posted.headers['host']}{posted.line.split()[1]}"})(posted, writer)


async def echo_nonsense(posted: Posted, writer: asyncio.StreamWriter) -> None:
    """What was received, which is no answer."""
    writer.write((posted.line + "\r\n" + "\r\n".join(posted.headers.values()) + "\r\n\r\n").encode() + posted.body)
    await writer.drain()
    writer.close()


async def hang_up(posted: Posted, writer: asyncio.StreamWriter) -> None:
    """Nothing, and the connection is reset."""
    writer.transport.abort()


async def silence(posted: Posted, writer: asyncio.StreamWriter) -> None:
    """Nothing at all."""
    await asyncio.sleep(30)


async def dripping_head(posted: Posted, writer: asyncio.StreamWriter) -> None:
    """A head that never ends: every byte comes in time, all of them never do."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"x-drip: 1\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


def dripping_body(code: int) -> Answer:
    """A body that never ends, of an answer whose head came at once."""

    async def answer(posted: Posted, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {code} As It Is\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        while True:
            writer.write(b"5\r\nhello\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    return answer


class HttpReceiver:
    """Made by `receiving`. answers: for the next requests; when there are none left, 200."""

    def __init__(self) -> None:
        self.posted: list[Posted] = []
        self.answers: deque[Answer] = deque()
        self.connections = 0
        self.port = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, for as many requests as come."""
        self.connections += 1
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.posted.append(Posted(head[0], headers, body))
            answer = self.answers.popleft() if self.answers else status(200)
            await answer(self.posted[-1], writer)


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncIterator[HttpReceiver]:
    """A receiver on a free port of 127.0.0.1."""
    receiver = HttpReceiver()
    async with listening(receiver.talk, tls) as port:
        receiver.port = port
        yield receiver


@asynccontextmanager
async def listening(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """A server that speaks as it likes on a free port of 127.0.0.1; what still talks at the end is cut off."""
    talking: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talking.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await talk(reader, writer)
        finally:
            talking.discard(task)
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(talking):
            task.cancel()
        await asyncio.gather(*talking, return_exceptions=True)
