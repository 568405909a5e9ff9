"""GET /model: what answers."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Response

from api.http.openapi import answers, problem
from api.http.responses import json_response
from api.predicting.predictor import Predictor
from api.requests.schemas import model_info


def model_routes(predictor: Predictor, alias: str) -> APIRouter:
    """alias: whose version answers."""
    router = APIRouter(tags=["model"])

    @router.get(
        "/model",
        responses={200: answers("ModelInfo"), 503: problem("No model is loaded.")},
        summary="The version that answers",
    )
    async def model() -> Response:
        served = predictor.current()
        info = model_info(
            served.baseline,
            alias,
            served.scorer.kind,
            served.since,
            cached=served.cached,
            scorer_note=served.scorer_note,
        )
        return json_response(msgspec.json.encode(info))

    return router
