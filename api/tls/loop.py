"""An event loop whose servers speak TLS. uvicorn hands a context on, but no time limits: asyncio's own are 60 s for a
handshake and 30 s for a farewell, in which a client that says nothing would hold its connection.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

import uvloop

FAREWELL_SECONDS = 2.0
"""For the client's close_notify after ours. All that was answered has been sent before."""


def loop_with(context: ssl.SSLContext, handshake_seconds: float) -> Callable[[], asyncio.AbstractEventLoop]:
    """For asyncio.Runner. handshake_seconds: a connection whose handshake takes longer is closed."""

    class TlsLoop(uvloop.Loop):  # type: ignore[misc]
        async def create_server(self, *args: Any, **named: Any) -> asyncio.Server:
            limits = {"ssl_handshake_timeout": handshake_seconds, "ssl_shutdown_timeout": FAREWELL_SECONDS}
            server: asyncio.Server = await super().create_server(*args, **{**named, "ssl": context, **limits})
            return server

    return TlsLoop
