"""RequestHeaders: the headers that the API reads, out of what the client sent."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

Raw = Collection[tuple[bytes, bytes]]


class RequestHeaders(msgspec.Struct, frozen=True, gc=False):
    """Values as they were sent, b"" where a header is absent. Of a header that was sent twice, the last one; but two
    keys are joined by a comma, which makes them none: a proxy that checked the first would have let the second pass.
    So are those of W3C Trace Context, as it says: two of traceparent are none, tracestate is a list.

    idempotency_key: None where it is absent; an empty one asks for what cannot be given. Two make none, too.
    request_id: X-Request-Id. traceparent, tracestate: W3C Trace Context. api_key: X-API-Key.
    """

    content_type: bytes = b""
    content_length: bytes = b""
    authorization: bytes = b""
    api_key: bytes = b""
    idempotency_key: bytes | None = None
    request_id: bytes = b""
    traceparent: bytes = b""
    tracestate: bytes = b""


_LISTS = (b"authorization", b"x-api-key", b"idempotency-key", b"traceparent", b"tracestate")


def read_headers(raw: Raw) -> RequestHeaders:
    """raw: ASGI's pairs, names in lower case.

    >>> read_headers([(b"host", b"a"), (b"x-request-id", b"r-1")]).request_id
    b'r-1'
    """
    found = dict(raw)
    if len(found) != len(raw):
        found |= _joined(raw)
    get = found.get
    return RequestHeaders(
        get(b"content-type", b""),
        get(b"content-length", b""),
        get(b"authorization", b""),
        get(b"x-api-key", b""),
        get(b"idempotency-key"),
        get(b"x-request-id", b""),
        get(b"traceparent", b""),
        get(b"tracestate", b""),
    )


def length_in(content_length: bytes) -> int | None:
    """Bytes that a Content-Length announces; None where it is no number. Python reads no number of more than 4,300
    digits, and zeros before a small one count as digits.

    >>> length_in(b"0" * 5000 + b"41"), length_in(b"9" * 5000) > 10**18, length_in(b"")
    (41, True, None)
    """
    return int(b"0" + content_length.lstrip(b"0")[:20]) if content_length.isdigit() else None


def _joined(raw: Raw) -> dict[bytes, bytes]:
    sent = {name: [value for found, value in raw if found == name] for name in _LISTS}
    return {name: b", ".join(values) for name, values in sent.items() if values}
