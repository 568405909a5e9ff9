"""GET /model and /models: what answers, and what there is."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from fastapi import APIRouter, Depends, Response

from api.http.page_parts import answers, problem
from api.http.parameters import only_known
from api.http.responses import json_response
from api.models.catalogue import Catalogue
from api.predicting.predictor import Predictor
from api.requests.rolling import Rolling
from api.requests.schemas import model_info


def model_routes(
    predictor: Predictor, catalogue: Catalogue, alias: str, rolling: Callable[[], Rolling | None]
) -> APIRouter:
    """alias: whose version answers. rolling: the version on its way."""
    router = APIRouter(tags=["model"], dependencies=[Depends(only_known)])

    @router.get(
        "/model",
        responses={
            200: answers("ModelInfo"),
            422: problem("It has no parameters."),
            503: problem("No model is loaded."),
        },
        summary="The version that answers, and the one on its way",
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
            rollout=rolling(),
        )
        return json_response(msgspec.json.encode(info))

    @router.get(
        "/models",
        responses={
            200: answers("Models", "The versions; `registry` says whether the registry could be asked."),
            422: problem("It has no parameters."),
        },
        summary="The registered versions of the model",
        description="The newest 20 and those with an alias. The registry is asked at most every 15 seconds. "
        "While it is away the loaded version is listed alone.",
    )
    async def models() -> Response:
        return json_response(msgspec.json.encode(await catalogue.models()))

    return router
