"""A Reply as its headers, as ASGI has them and as they are sent, and as FastAPI's response object; and JSON that is
written already.
"""

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


def head_lines(reply: Reply) -> bytes:
    """The same, in the same order, as they are sent."""
    lines = f"content-length: {len(reply.body)}\r\ncontent-type: {reply.content_type}\r\n"
    if reply.request_id:
        lines += f"x-request-id: {reply.request_id}\r\n"
    for name, value in reply.headers:
        lines += f"{name}: {value}\r\n"
    return lines.encode()
