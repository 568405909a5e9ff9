"""Guard: whether a request may be worked on at all, decided before its body is read."""

from __future__ import annotations

from typing import Literal

from api.requests.headers import RequestHeaders

Scope = Literal["predict", "read", "admin"]

ANYBODY = "anybody"
"""The client where no keys are configured."""


class Guard:
    """Asked by the fast path and by the routes of FastAPI alike."""

    def admit(self, headers: RequestHeaders, scope: Scope, rows: int = 1) -> str:
        """The name of the client's key. rows: what the request costs of its rate."""
        return ANYBODY
