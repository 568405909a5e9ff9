"""The routes: HTTP in and out, and nothing else. Status codes of errors are in `api.http.problems`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.errors import ApiError
from api.health import Health, readiness
from api.http.exchange import Endpoint, Exchange
from api.http.openapi import answers, problem
from api.http.problems import Fault, Reply, of_error, of_parameters, of_status
from api.outbox.log import Outbox
from api.predicting.champion import ChampionFollower
from api.predicting.predictor import Predictor
from api.publishing.mirror import Mirror
from api.publishing.publisher import Publisher
from api.requests.schemas import model_info
from api.telemetry import Telemetry

_Id = Annotated[str, Path(min_length=1, max_length=300, description="As in the answer to the prediction.")]
_Limit = Annotated[int, Query(ge=1, le=1000, description="How many, newest first.")]
_PREDICT_DOCS: dict[int | str, dict[str, Any]] = {
    200: answers("PredictionAnswer", "The prediction; its event is committed."),
    400: problem("Not JSON, or not UTF-8."),
    413: problem("The body is too large."),
    415: problem("The content type is not JSON."),
    422: problem("A field is unknown, missing or wrong; `errors` points to each."),
    500: problem("The model failed on this row."),
    503: problem("No model yet, or the outbox is full. Try again after Retry-After."),
}


@dataclass(frozen=True)
class Services:
    """What the routes speak to."""

    exchange: Exchange
    predict: Endpoint
    predictor: Predictor
    follower: ChampionFollower
    publisher: Publisher
    mirror: Mirror
    outbox: Outbox
    telemetry: Telemetry
    alias: str


def build_router(services: Services) -> APIRouter:
    """All routes. POST /predict is usually answered before it gets here: see `api.http.edge`."""
    router = APIRouter()

    @router.post(services.predict.path, responses=_PREDICT_DOCS, summary="Predict one row", tags=["predictions"])
    async def predict(request: Request) -> Response:
        return _response(await services.exchange.run(services.predict, request.scope["headers"], request.receive))

    @router.get(
        "/predictions/recent",
        responses={200: answers("Predictions"), 422: problem("A wrong parameter."), 503: problem("Redis is away.")},
        summary="The newest predictions",
        tags=["predictions"],
    )
    async def recent(limit: _Limit = 20) -> Response:
        events = b",".join(await services.mirror.recent(limit))
        return _json(b'{"predictions":[' + events + b"]}")

    @router.get(
        "/predictions/{prediction_id}",
        responses={
            200: answers("PredictionEvent"),
            404: problem("Never made, or no longer kept."),
            422: problem("A wrong parameter."),
            503: problem("Redis is away."),
        },
        summary="One prediction",
        tags=["predictions"],
    )
    async def one(prediction_id: _Id) -> Response:
        return _json(await services.mirror.one(prediction_id))

    @router.get(
        "/model",
        responses={200: answers("ModelInfo"), 503: problem("No model is loaded.")},
        summary="The version that answers",
        tags=["model"],
    )
    async def model() -> Response:
        served = services.predictor.current()
        info = model_info(
            served.baseline,
            services.alias,
            served.scorer.kind,
            served.since,
            cached=served.cached,
            scorer_note=served.scorer_note,
        )
        return _json(msgspec.json.encode(info))

    @router.get("/health/live", summary="Whether the process runs", tags=["health"])
    async def live() -> Response:
        return _json(b'{"status":"live"}')

    @router.get(
        "/health/ready",
        responses={200: answers("Readiness", "Predictions are answered."), 503: answers("Readiness", "None can be.")},
        summary="Whether predictions are answered, and the state of each dependency",
        tags=["health"],
    )
    async def ready() -> Response:
        state = readiness(
            model=services.predictor.health,
            outbox=_outbox_health(services.outbox),
            kafka=services.publisher.health,
            redis=services.mirror.health,
            registry=services.follower.health,
        )
        return _json(msgspec.json.encode(state), 503 if state.status == "unavailable" else 200)

    @router.get("/metrics", summary="Prometheus", tags=["health"])
    async def metrics() -> Response:
        return Response(services.telemetry.page(), media_type="text/plain; version=0.0.4")

    return router


def handle_errors(app: FastAPI) -> None:
    """Every error is a problem, whoever found it."""

    async def api_error(_: Request, error: Exception) -> Response:
        return _response(of_error(error))

    async def http_error(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = tuple((error.headers or {}).items())
        return _response(of_status(error.status_code, str(error.detail), headers))

    async def parameter_error(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _response(of_parameters(_faults(error.errors())))

    app.add_exception_handler(ApiError, api_error)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, parameter_error)
    app.add_exception_handler(Exception, api_error)


def _outbox_health(outbox: Outbox) -> Health:
    if outbox.accepts():
        return Health(True, f"{outbox.backlog.pending_bytes} bytes wait for Kafka")
    return Health(False, outbox.problem or "refuses")


def _faults(errors: Sequence[Any]) -> tuple[Fault, ...]:
    return tuple(Fault(error["msg"], parameter=str(error["loc"][-1])) for error in errors)


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")


def _response(reply: Reply) -> Response:
    return Response(reply.body, reply.status, dict(reply.headers), media_type=reply.content_type)
