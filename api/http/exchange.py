"""Exchange: what every POST of JSON goes through, whichever door it came in by: who asks, the body, what went wrong.

An endpoint takes a Call and gives a Reply, or raises an ApiError; everything around that is here, once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from api.errors import RequestRefused, WrongContentType
from api.guard.guard import Guard
from api.guard.keys import Scope
from api.http.body import ClientGone, Receive, read_body
from api.http.problems import Reply, of_error, why
from api.http.refusals import Refusals
from api.requests.headers import Raw, RequestHeaders, read_headers
from api.telemetry import Telemetry


class Call(NamedTuple):
    """One request, admitted and read. client: the name of its key. received: when its body was there (stopwatch)."""

    body: bytes
    headers: RequestHeaders
    client: str
    received: float


class Endpoint(Protocol):
    """path: of the route. scope: what a key needs. limit: longest body in bytes."""

    @property
    def path(self) -> str: ...
    @property
    def scope(self) -> Scope: ...
    @property
    def limit(self) -> int: ...

    async def answer(self, call: Call) -> Reply:
        """Raises ApiError."""


class Exchange:
    """body_seconds: how long a body may take to arrive. stopwatch: seconds, monotonic."""

    def __init__(
        self,
        guard: Guard,
        telemetry: Telemetry,
        refusals: Refusals,
        *,
        body_seconds: float,
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._guard = guard
        self._body_seconds = body_seconds
        self._telemetry = telemetry
        self._refusals = refusals
        self._stopwatch = stopwatch

    async def run(self, endpoint: Endpoint, raw: Raw, receive: Receive) -> Reply:
        """The answer to one request. Raises ClientGone and nothing else."""
        headers, client = read_headers(raw), ""
        try:
            client = self._guard.admit(headers, endpoint.scope)
            check_content_type(headers.content_type)
            body = await read_body(
                headers.content_length, receive, endpoint.limit, self._body_seconds, self._guard.reconsider
            )
            begun = self._stopwatch()
            reply = await endpoint.answer(Call(body, headers, client, begun))
            self._telemetry.request_seconds.observe(self._stopwatch() - begun)
            return reply
        except ClientGone:
            raise
        except RequestRefused as error:
            category: str = error.category
            reply = of_error(error)
            self._telemetry.refused.labels(category).inc()
        except Exception as error:
            category, reply = why(error), of_error(error)
            self._telemetry.failed.labels(category).inc()
        self._refusals.note(category, reply.status, endpoint.path, headers.request_id, client)
        return reply


def check_content_type(declared: bytes) -> None:
    """application/json or application/<anything>+json; only UTF-8. Raises WrongContentType."""
    if declared == b"application/json":
        return
    kind, _, parameters = declared.decode("latin-1").lower().partition(";")
    kind, charset = kind.strip(), parameters.strip().removeprefix("charset=").strip('"')
    json = kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
    if not json or charset not in ("", "utf-8"):
        raise WrongContentType("content-type", "Send Content-Type: application/json, with a body in UTF-8.")
