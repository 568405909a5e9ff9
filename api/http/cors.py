"""CORS: which web pages may call the API from a browser. Off unless origins are named: a server's clients need none.

It stands around both doors, so that the fast path is no way past it, and a request without Origin pays nothing more
than one call. Credentials (cookies) are not allowed: keys come in headers, which a foreign page does not have.
"""

from __future__ import annotations

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

_REQUEST = (
    "Authorization",
    "X-API-Key",
    "Content-Type",
    "Idempotency-Key",
    "X-Request-Id",
    "traceparent",
    "tracestate",
)
_RESPONSE = ("Retry-After", "RateLimit", "X-Request-Id", "Idempotent-Replayed", "WWW-Authenticate")


def with_cors(app: ASGIApp, origins: str) -> ASGIApp:
    """origins: with commas between; where there is none, `app` itself."""
    named = [origin.strip() for origin in origins.split(",") if origin.strip()]
    if not named:
        return app
    return CORSMiddleware(
        app, allow_origins=named, allow_methods=("GET", "POST"), allow_headers=_REQUEST, expose_headers=_RESPONSE
    )
