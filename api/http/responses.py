"""A Reply, or JSON that is written already, as FastAPI's response object."""

from __future__ import annotations

from fastapi import Response

from api.http.problems import Reply


def json_response(body: bytes, status: int = 200) -> Response:
    """body: JSON."""
    return Response(body, status, media_type="application/json")


def to_response(reply: Reply) -> Response:
    """The same answer that the fast path would send."""
    return Response(reply.body, reply.status, dict(reply.headers), media_type=reply.content_type)
