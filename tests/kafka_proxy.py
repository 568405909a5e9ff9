"""A proxy in front of a real Kafka broker: it understands just enough of the protocol to make the broker slow, or mute.

A message is its length and then, in a request, which API it asks for; request and answer share a correlation id. The
broker's answers name its own address, which clients then go to: the proxy writes its own there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_PRODUCE = 0


class KafkaProxy:
    """bootstrap: where clients find it. slow: seconds by which the answer to each produce request is held back.

    mute: it accepts connections and takes what is sent; nothing gets through, neither way. leave: it closes every
    connection, new ones at once. advertised: the port that the broker's answers name, by default the proxy's own.
    """

    def __init__(self, target: str, advertised: int | None = None) -> None:
        self._host, port = target.rsplit(":", 1)
        self._port = int(port)
        self._own, self._advertised = 0, advertised
        self.slow = 0.0
        self._open = asyncio.Event()
        self._open.set()
        self._away = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def bootstrap(self) -> str:
        return f"{self._host}:{self._own}"

    def mute(self) -> None:
        self._open.clear()

    def speak(self) -> None:
        self._open.set()

    def leave(self) -> None:
        self._away = True
        for task in tuple(self._tasks):
            task.cancel()

    def come_back(self) -> None:
        self._away = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[KafkaProxy]:
        server = await asyncio.start_server(self._accept, self._host, 0)
        self._own = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._away:
            writer.close()
            return
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        upstream: asyncio.StreamWriter | None = None
        try:
            await self._open.wait()
            answers, upstream = await asyncio.open_connection(self._host, self._port)
            produces: deque[bytes] = deque()
            ways = [
                asyncio.create_task(self._requests(reader, upstream, produces)),
                asyncio.create_task(self._answers(answers, writer, produces)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass  # the broker is away, so is the proxy; or the proxy itself ends
        finally:
            for end in (writer, upstream):
                if end is not None:
                    end.close()

    async def _requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, produces: deque[bytes]
    ) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                message = await _message(reader)
                await self._open.wait()
                if int.from_bytes(message[4:6], "big") == _PRODUCE:
                    produces.append(message[8:12])
                writer.write(message)
                await writer.drain()

    async def _answers(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, produces: deque[bytes]
    ) -> None:
        host = self._host.encode()
        named = self._own if self._advertised is None else self._advertised
        theirs, ours = host + self._port.to_bytes(4, "big"), host + named.to_bytes(4, "big")
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                message = (await _message(reader)).replace(theirs, ours)
                if produces and message[4:8] == produces[0]:
                    produces.popleft()
                    await asyncio.sleep(self.slow)
                await self._open.wait()
                writer.write(message)
                await writer.drain()


async def _message(reader: asyncio.StreamReader) -> bytes:
    length = await reader.readexactly(4)
    return length + await reader.readexactly(int.from_bytes(length, "big"))
