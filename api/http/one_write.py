"""OneWrite: uvicorn's HTTP protocol, which hands the kernel an answer in one piece.

uvicorn writes the head and the body of an answer by themselves, and uvloop passes each write on at once: two system
calls, two packets and two wake-ups of the client for each answer. Here what is written in one pass of the event loop
leaves together at its end.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from api.http.http_protocol import HttpProtocol


class OneWrite(HttpProtocol):
    """For uvicorn's setting `http`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.gathered = Gathered(transport, self.loop)
        super().connection_made(cast(asyncio.Transport, self.gathered))

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.gathered.let_go()


class _Gone:
    """In the place of a transport whose connection is lost."""

    def is_closing(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


class Gathered:
    """A transport whose writes leave together. All else is the inner one's."""

    def __init__(self, inner: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._inner = inner
        self._loop = loop
        self._pieces: list[bytes] = []
        self.is_closing = inner.is_closing

    def write(self, data: bytes) -> None:
        """At the end of this pass of the event loop."""
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)

    def write_now(self, data: bytes) -> None:
        """A whole answer, after what was written."""
        if self._pieces:
            self._pieces.append(data)
            self._flush()
        elif not self._inner.is_closing():
            self._inner.write(data)

    def close(self) -> None:
        """After what was written."""
        self._flush()
        self._inner.close()

    def let_go(self) -> None:
        """The connection is lost. A protocol waits for the collection of garbage, which is rare; its transport must
        not wait with it: with the 256 KiB in which uvloop reads TLS.
        """
        self._inner = cast(asyncio.Transport, _Gone())
        self.is_closing = self._inner.is_closing

    def _flush(self) -> None:
        pieces, self._pieces = self._pieces, []
        if pieces and not self._inner.is_closing():  # otherwise nobody is there to read it
            self._inner.write(b"".join(pieces))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
