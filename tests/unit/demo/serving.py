"""A real HTTP server for what the demo sends: it listens on a free port, and answers as a test says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def served(handle: Callable[[web.Request], Awaitable[web.Response]], *paths: str) -> AsyncIterator[str]:
    """Its address, while it answers a POST to each of the paths."""
    app = web.Application(client_max_size=2**24)
    for path in paths:
        app.router.add_post(path, handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
