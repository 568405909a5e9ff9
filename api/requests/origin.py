"""Origin of a request: what its client said about where it comes from, as far as that has the form that it should.

What has another form is left out and nothing is said: a trace is never a reason to refuse a prediction.
Source: W3C Trace Context, sections 3.2 and 3.3.
"""

from __future__ import annotations

import re

from api.requests.headers import RequestHeaders
from contracts.headers import Origin

LONGEST_REQUEST_ID = 128
LONGEST_TRACESTATE = 512
LONGEST_TRACEPARENT = 256
"""Version 00 has 55 bytes; a higher one may have more."""

_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,%d}" % LONGEST_REQUEST_ID)
_TRACEPARENT = re.compile(
    rb"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?P<more>-[\x21-\x7e]*)?"
)
_TRACESTATE = re.compile(rb"[\t\x20-\x7e]{1,%d}" % LONGEST_TRACESTATE)


def read_origin(headers: RequestHeaders) -> Origin | None:
    """None where the client said nothing.

    >>> read_origin(RequestHeaders(request_id=b"r-1", traceparent=b"00-1"))
    Origin(request_id='r-1', traceparent='', tracestate='', shadow_of='')
    """
    if not (headers.request_id or headers.traceparent):
        return None
    traceparent = _traceparent(headers.traceparent)
    tracestate = headers.tracestate if traceparent and _TRACESTATE.fullmatch(headers.tracestate) else b""
    request_id = own_request_id(headers)
    if not (request_id or traceparent):
        return None
    return Origin(request_id, traceparent.decode(), tracestate.decode())


def own_request_id(headers: RequestHeaders) -> str:
    """X-Request-Id as the client sent it: 1 to 128 visible ASCII characters; otherwise empty."""
    given = headers.request_id
    return given.decode() if given and _REQUEST_ID.fullmatch(given) else ""


def _traceparent(given: bytes) -> bytes:
    """As it was sent where it is one, otherwise empty. Of version 00 nothing may follow the flags."""
    found = _TRACEPARENT.fullmatch(given) if len(given) <= LONGEST_TRACEPARENT else None
    return given if found and not (found["version"] == b"00" and found["more"] is not None) else b""
