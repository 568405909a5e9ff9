"""RequestHeaders: the headers that the API reads, found in one pass over what the client sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

Raw = Iterable[tuple[bytes, bytes]]


class RequestHeaders(NamedTuple):
    """Values as they were sent, b"" where a header is absent. Of a header that was sent twice, the last one.

    request_id: X-Request-Id. traceparent, tracestate: W3C Trace Context. api_key: X-API-Key.
    """

    content_type: bytes = b""
    content_length: bytes = b""
    authorization: bytes = b""
    api_key: bytes = b""
    idempotency_key: bytes = b""
    request_id: bytes = b""
    traceparent: bytes = b""
    tracestate: bytes = b""


_FIELDS = {field.replace("_", "-").encode(): field for field in RequestHeaders._fields}
_FIELDS[b"x-request-id"] = _FIELDS.pop(b"request-id")
_FIELDS[b"x-api-key"] = _FIELDS.pop(b"api-key")


def read_headers(raw: Raw) -> RequestHeaders:
    """raw: ASGI's pairs, names in lower case.

    >>> read_headers([(b"host", b"a"), (b"x-request-id", b"r-1")]).request_id
    b'r-1'
    """
    return RequestHeaders(**{_FIELDS[name]: value for name, value in raw if name in _FIELDS})
