"""Exchange: what every POST of JSON goes through, whichever door it came in by: who asks, the body, what went wrong.

An endpoint takes a Call and gives a Reply, or raises an ApiError; everything around that is here, once.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Protocol

import msgspec

from api.errors import EncodedBody, RequestRefused, Unreadable, WrongContentType
from api.guard.guard import ANYBODY, Guard
from api.guard.keys import Scope
from api.guard.room import Place, Room
from api.http.body import ClientGone, Receive, read_body
from api.http.problems import Reply, of_error, why
from api.http.refusals import Refusals
from api.http.request_id import fresh_id
from api.idempotency.ticket import Ticket
from api.requests.headers import Raw, RequestHeaders, read_headers
from api.requests.origin import own_request_id
from api.telemetry import Telemetry

Peer = tuple[str, int]
"""Address and port."""
_UTF_8 = ("utf-8", "utf8", "")
_parameter = re.compile(r';[ \t]*+([^ \t=;"]++)[ \t]*+=[ \t]*+("(?:[^"\\]|\\.)*+"|[^;]*+)')


class Call(msgspec.Struct, frozen=True, gc=False):
    """One request, admitted and read. client: the name of its key. received: when its body was there (stopwatch).

    ticket: of its Idempotency-Key, to be committed with its events.
    """

    body: bytes
    headers: RequestHeaders
    client: str
    received: float
    ticket: Ticket | None = None


class Endpoint(Protocol):
    """path: of the route. scope: what a key needs. limit: longest body in bytes. once: whether it makes events, so
    that an Idempotency-Key counts. status: of its good answer. room: for requests of many rows; a place in it is held
    from before the body is read, unless it is small. It then costs one row of a rate, and the others when they are
    counted. None: it costs one row, at the door.
    """

    @property
    def path(self) -> str: ...
    @property
    def scope(self) -> Scope: ...
    @property
    def limit(self) -> int: ...
    @property
    def once(self) -> bool: ...
    @property
    def status(self) -> int: ...
    @property
    def room(self) -> Room | None: ...

    async def answer(self, call: Call) -> Reply:
        """Raises ApiError."""


class Idempotency(Protocol):
    """What is asked of api.http.once.Once."""

    async def answer(self, endpoint: Endpoint, call: Call) -> Reply:
        """Raises ApiError."""


class Exchange:
    """body_seconds: how long a body may take to arrive. stopwatch: seconds, monotonic. new_id: of an answer that has
    none: neither the client gave one nor is it a prediction.
    """

    def __init__(
        self,
        guard: Guard,
        telemetry: Telemetry,
        refusals: Refusals,
        once: Idempotency,
        *,
        body_seconds: float,
        stopwatch: Callable[[], float] = time.perf_counter,
        new_id: Callable[[], str] = fresh_id,
    ) -> None:
        self._guard = guard
        self._body_seconds = body_seconds
        self._telemetry = telemetry
        self._refusals = refusals
        self._once = once
        self._stopwatch = stopwatch
        self._new_id = new_id

    async def run(self, endpoint: Endpoint, raw: Raw, sent: Receive | bytes, peer: Peer | None = None) -> Reply:
        """The answer to one request. Raises ClientGone and nothing else.

        sent: the body, where it is there already and within the endpoint's limit; otherwise where it comes from.
        peer: who is at the other end of the connection, which is whose place is taken where there are no keys.
        """
        headers, client, room = read_headers(raw), "", endpoint.room
        place = None
        try:
            client = self._guard.admit(headers, endpoint.scope, room is None)
            check_content_type(headers.content_type)
            if room is not None:
                if room.wanted(headers.content_length):
                    place = room.enter(peer[0] if peer is not None and client == ANYBODY else client)
                self._guard.begin(client)
            body = sent if isinstance(sent, bytes) else await self._arrived(headers, endpoint, sent, place)
            call = Call(body, headers, client, self._stopwatch())
            once = headers.idempotency_key is not None
            reply = await (self._once.answer(endpoint, call) if once else endpoint.answer(call))
            return reply if reply.request_id and not headers.request_id else self._named(reply, headers)
        except ClientGone:
            raise
        except RequestRefused as found:
            refused = (_encoded(raw) or found) if isinstance(found, Unreadable) else found
            category: str = refused.category
            client = client or refused.client
            reply = of_error(refused)
            self._telemetry.refused.labels(category).inc()
        except Exception as error:
            category, reply = why(error), of_error(error)
            self._telemetry.failed.labels(category).inc()
        finally:
            if room is not None and place is not None:
                room.leave(place)
        reply = self._named(reply, headers)
        self._refusals.note(category, reply.status, endpoint.path, reply.request_id.encode(), client)
        return reply

    async def _arrived(
        self, headers: RequestHeaders, endpoint: Endpoint, receive: Receive, place: Place | None
    ) -> bytes:
        def waited() -> None:
            self._guard.reconsider(headers.idempotency_key)

        return await read_body(headers.content_length, receive, endpoint.limit, self._body_seconds, waited, place)

    def _named(self, reply: Reply, headers: RequestHeaders) -> Reply:
        """With the client's own request id, or else its own, or else a fresh one."""
        id_ = own_request_id(headers) or reply.request_id or self._new_id()
        return msgspec.structs.replace(reply, request_id=id_)


def _encoded(raw: Raw) -> EncodedBody | None:
    """Why a body could not be read, if it was encoded. Looked at only then, so that it costs nothing."""
    for name, value in raw:
        if name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            return EncodedBody(
                "content-type", "This API takes no Content-Encoding: send the body as it is, without one."
            )
    return None


def check_content_type(declared: bytes) -> None:
    """application/json or application/<anything>+json; only UTF-8. Other parameters say nothing about how to read it.
    Raises WrongContentType.
    """
    if declared == b"application/json":
        return
    kind, mark, parameters = declared.decode("latin-1").lower().partition(";")
    kind = kind.strip()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise WrongContentType("content-type", "Send Content-Type: application/json, with a body in UTF-8.")
    for name, value in _parameter.findall(mark + parameters):
        if name == "charset" and value.strip().strip('"') not in _UTF_8:
            told = "The parameter charset of Content-Type is not utf-8: leave it out, and send the body in UTF-8."
            raise WrongContentType("content-type", told)
