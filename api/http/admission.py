"""Who may use a route that is not a POST of JSON (those are admitted in `api.http.exchange`).

Closed unless named here: a new route needs a key with `read` without anybody having to think of it. Open are health,
because an orchestrator has no key (the details of /health/ready are for who has one), and the page of the API, which
tells strangers nothing that the documentation does not: the model's features are for who has a key.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import Request

from api.guard.guard import Guard
from api.guard.keys import Scope
from api.requests.headers import read_headers

OPEN: Final = frozenset({"/health/live", "/health/ready"})
"""Besides /docs and /openapi.json, for which this is not asked: see `api.http.docs_page`."""

SCOPE: Final[Scope] = "read"
"""What a key needs for them."""

CLIENT: Final = "tidemark.client"
"""The name of the key in ASGI's scope, for log lines, once it is let in."""


def admission(guard: Guard) -> Callable[[Request], Awaitable[None]]:
    """A dependency for all routes."""

    async def admit(request: Request) -> None:
        if request.method == "POST" or request.scope["path"] in OPEN:
            return
        request.scope[CLIENT] = guard.admit(read_headers(request.scope["headers"]), SCOPE)

    return admit
