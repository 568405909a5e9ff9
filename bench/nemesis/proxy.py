"""A TCP proxy that can stop forwarding: a worker behind it is cut off, and its connections hang, as in a real one."""

from __future__ import annotations

import asyncio
import contextlib

_CHUNK = 1 << 18


class Proxy:
    """Forwards connections on `port` to a port of loopback. While it is cut bytes stay where they are; none is lost.

    A worker's way to Kafka; see Way in network.py.
    """

    host = "127.0.0.1"
    inside: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.port = 0
        self.target = 0
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def bootstrap(self) -> str:
        """Where it listens, as `host:port`."""
        return f"{self.host}:{self.port}"

    async def start(self) -> None:
        """Listen on a free port; connections made before `target` is set are closed."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Forward nothing, in neither direction, until heal()."""
        self._open.clear()

    def heal(self) -> None:
        """Forward again, also what has waited."""
        self._open.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._open.wait()
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        finally:
            self._tasks.discard(task)
        for source, sink, other in ((reader, back, writer), (there, writer, back)):
            copying = asyncio.create_task(self._copy(source, sink, other))
            self._tasks.add(copying)
            copying.add_done_callback(self._tasks.discard)

    async def _copy(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, other: asyncio.StreamWriter
    ) -> None:
        """Until one end closes; then both are closed, as a broken connection is for both."""
        try:
            while data := await source.read(_CHUNK):
                await self._open.wait()
                sink.write(data)
                await sink.drain()
            await self._open.wait()
        except OSError:
            await self._open.wait()
        finally:
            for writer in (sink, other):
                with contextlib.suppress(OSError, RuntimeError):
                    writer.transport.abort() if writer is other else writer.close()
