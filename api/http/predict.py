"""POST /predict without a framework: the parts of a request in, a whole answer out.

The fast path and the FastAPI route both end here, so they cannot answer differently.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from datetime import datetime
from typing import Any

from api.errors import BodyTooLarge, RequestRefused, WrongContentType
from api.http.problems import Reply, of_error, why
from api.predicting.predictor import Job, Predictor
from api.requests.schemas import encode_answer
from api.telemetry import Telemetry

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Headers = Iterable[tuple[bytes, bytes]]


class ClientGone(Exception):
    """The client closed the connection before its body was there: there is nobody to answer."""


class PredictEndpoint:
    """limit: longest body in bytes. now: the wall clock. stopwatch: seconds, monotonic."""

    def __init__(
        self,
        predictor: Predictor,
        telemetry: Telemetry,
        *,
        limit: int,
        now: Callable[[], datetime],
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._predictor = predictor
        self._telemetry = telemetry
        self._limit = limit
        self._now = now
        self._stopwatch = stopwatch

    async def answer(self, headers: Headers, receive: Receive) -> Reply:
        """The answer to one request. Raises ClientGone and nothing else."""
        try:
            _check_content_type(headers)
            body = await self._body(headers, receive)
            begun = self._stopwatch()
            served = self._predictor.current()
            request = served.reader.read(body, self._now())
            event = await self._predictor.submit(Job(served, request, begun))
            reply = Reply(200, encode_answer(event))
            self._telemetry.request_seconds.observe(self._stopwatch() - begun)
            return reply
        except ClientGone:
            raise
        except RequestRefused as error:
            self._telemetry.refused.labels(error.category).inc()
            return of_error(error)
        except Exception as error:
            self._telemetry.failed.labels(why(error)).inc()
            return of_error(error)

    async def _body(self, headers: Headers, receive: Receive) -> bytes:
        """Counts as it reads: a client may announce nothing, or something else than it sends."""
        announced = next((value for name, value in headers if name == b"content-length"), b"")
        if announced.isdigit() and int(announced) > self._limit:
            raise self._too_large()
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._limit:
                raise self._too_large()
        return body

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(
            "too-large", f"The body has more than {self._limit} bytes: send one row of features, and only its features."
        )


def _check_content_type(headers: Headers) -> None:
    """application/json or application/<anything>+json; only UTF-8."""
    declared = next((value for name, value in headers if name == b"content-type"), b"")
    if declared == b"application/json":
        return
    kind, _, parameters = declared.decode("latin-1").lower().partition(";")
    kind, charset = kind.strip(), parameters.strip().removeprefix("charset=").strip('"')
    json = kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
    if not json or charset not in ("", "utf-8"):
        raise WrongContentType("content-type", "Send Content-Type: application/json, with a body in UTF-8.")
