"""GET /health/live, /health/ready and /metrics: what an orchestrator and Prometheus ask."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from api.health import Readiness, for_strangers
from api.http.page_parts import answers
from api.http.responses import json_response
from api.requests.headers import RequestHeaders, read_headers


def health_routes(
    ready: Callable[[], Readiness], metrics: Callable[[], bytes], knows: Callable[[RequestHeaders], bool]
) -> APIRouter:
    """All are asked at every request. knows: whether the sender may see more than whether it is ready."""
    router = APIRouter(tags=["health"])

    @router.get("/health/live", responses={200: answers("Liveness", "It runs.")}, summary="Whether the process runs")
    async def health_live() -> Response:
        return json_response(b'{"status":"live"}')

    @router.get(
        "/health/ready",
        responses={200: answers("Readiness", "Predictions are answered."), 503: answers("Readiness", "None can be.")},
        summary="Whether predictions are answered, and the state of each dependency",
    )
    async def health_ready(request: Request) -> Response:
        state = ready()
        if not knows(read_headers(request.scope["headers"])):
            state = for_strangers(state)
        return json_response(msgspec.json.encode(state), 503 if state.status == "unavailable" else 200)

    @router.get(
        "/metrics",
        response_class=PlainTextResponse,
        responses={200: {"description": "Every series, in Prometheus's text format.", "content": {"text/plain": {}}}},
        summary="Prometheus",
    )
    async def get_metrics() -> Response:
        return Response(metrics(), media_type="text/plain; version=0.0.4")

    return router
