"""A proxy before a server that makes each of its answers late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def slow_proxy(target: str, delay: Callable[[bytes], float]) -> AsyncIterator[str]:
    """host:port of the proxy. delay: seconds that a request waits before it is passed on, by what was sent."""
    host, port = target.rsplit(":", 1)
    connections: set[asyncio.Task[None]] = set()

    async def pass_on(client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        answers, server = await asyncio.open_connection(host, int(port))
        returning = asyncio.create_task(_copy(answers, back))
        try:
            while sent := await client.read(1 << 16):
                await asyncio.sleep(delay(sent))
                server.write(sent)
        finally:
            returning.cancel()
            server.close()
            back.close()
            connections.discard(task)

    listening = await asyncio.start_server(pass_on, "127.0.0.1", 0)
    own_host, own_port = listening.sockets[0].getsockname()
    try:
        yield f"{own_host}:{own_port}"
    finally:
        listening.close()
        open_ = list(connections)
        for task in open_:
            task.cancel()
        await asyncio.gather(*open_, return_exceptions=True)


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(1 << 16):
            target.write(data)
