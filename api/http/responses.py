"""A Reply as ASGI's headers, for the fast path, and as FastAPI's response object; and JSON that is written already."""

from __future__ import annotations

from fastapi import Response

from api.http.problems import Reply

REQUEST_ID = b"x-request-id"
CLIENT_GONE = 499
"""Status of the answer that nobody is there to get; as nginx has it."""


def json_response(body: bytes, status: int = 200) -> Response:
    """body: JSON."""
    return Response(body, status, media_type="application/json")


def to_response(reply: Reply) -> Response:
    """The same answer that the fast path sends."""
    response = Response(reply.body, reply.status)
    response.raw_headers = raw_headers(reply)
    return response


def raw_headers(reply: Reply) -> list[tuple[bytes, bytes]]:
    """All of them."""
    headers = [(b"content-length", b"%d" % len(reply.body)), (b"content-type", reply.content_type.encode())]
    if reply.request_id:
        headers.append((REQUEST_ID, reply.request_id.encode()))
    if reply.headers:
        headers += [(name.encode(), value.encode()) for name, value in reply.headers]
    return headers
