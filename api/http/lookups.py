"""GET /predictions/...: predictions that were made not long ago, from the mirror."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from api.http.openapi import answers, problem
from api.http.responses import json_response
from api.publishing.mirror import Mirror

_Id = Annotated[str, Path(min_length=1, max_length=300, description="As in the answer to the prediction.")]
_Limit = Annotated[int, Query(ge=1, le=1000, description="How many, newest first.")]


def lookup_routes(mirror: Mirror) -> APIRouter:
    """The routes that read the mirror."""
    router = APIRouter(tags=["predictions"])

    @router.get(
        "/predictions/recent",
        responses={200: answers("Predictions"), 422: problem("A wrong parameter."), 503: problem("Redis is away.")},
        summary="The newest predictions",
    )
    async def recent(limit: _Limit = 20) -> Response:
        events = b",".join(await mirror.recent(limit))
        return json_response(b'{"predictions":[' + events + b"]}")

    @router.get(
        "/predictions/{prediction_id}",
        responses={
            200: answers("PredictionEvent"),
            404: problem("Never made, or no longer kept."),
            422: problem("A wrong parameter."),
            503: problem("Redis is away."),
        },
        summary="One prediction",
    )
    async def one(prediction_id: _Id) -> Response:
        return json_response(await mirror.one(prediction_id))

    return router
