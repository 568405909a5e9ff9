"""All routes, put together from their rooms; here are those that predict. Status codes: `api.http.problems`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from api.explaining.queue import ExplanationQueue
from api.following import Following
from api.guard.guard import Guard
from api.health import Health, Readiness, readiness
from api.http.admission import SCOPE
from api.http.exchange import Endpoint, Exchange
from api.http.health_routes import health_routes
from api.http.lookups import lookup_routes
from api.http.model_routes import model_routes
from api.http.page_parts import answers, problem
from api.http.refusals import Refusals
from api.http.responses import to_response
from api.idempotency.ledger import Ledger
from api.labelling import Labelling
from api.models.catalogue import Catalogue
from api.outbox.log import Outbox
from api.outbox.settler import Settler
from api.predicting.predictor import Predictor
from api.publishing.mirror import Mirror
from api.publishing.publisher import Publisher
from api.telemetry import Telemetry

_PREDICT_DOCS: dict[int | str, dict[str, Any]] = {
    200: answers("PredictionAnswer", "The prediction; its event is committed."),
    422: problem("A field is unknown, missing or wrong; `errors` points to each."),
    500: problem("The model failed on this row."),
    503: problem("No model yet, or the outbox is full. Try again after Retry-After."),
}
_BATCH_DOCS: dict[int | str, dict[str, Any]] = {
    **_PREDICT_DOCS,
    200: answers("BatchAnswer", "Each row's prediction or problem, in order; the events are committed."),
    422: problem("No batch: `rows` is missing, empty, too long, or no array. A wrong row is told in its own place."),
    500: problem("Something unexpected. A row that the model fails on is told in its own place."),
}
_EXPLAIN_DOCS: dict[int | str, dict[str, Any]] = {
    **_PREDICT_DOCS,
    200: answers("Explanation", "What each feature adds to the score. It makes no event."),
    503: problem("No model yet, too many explanations wait, or this one took too long. Try again after Retry-After."),
}

_LABELS = """One label, or `{"labels": [...]}` of many. Send the `receipt` of the prediction's answer with it: then
nothing has to be looked up, however late the truth is. Without it the prediction has to be among those that
`GET /predictions/{id}` still knows.

Of two labels of one prediction the later one counts."""
_LABEL_DOCS: dict[int | str, dict[str, Any]] = {
    202: answers("LabelsAnswer", "What was accepted is committed; of many, each label's outcome, in order."),
    404: problem("One label without a receipt, of a prediction that is not known."),
    422: problem("A field is wrong, or a receipt is none of this prediction. Of many: told in the label's own place."),
    503: problem("The outbox of labels is full; or Redis is away, and the one label has no receipt."),
}


@dataclass(frozen=True)
class Services:
    """What the routes speak to."""

    guard: Guard
    refusals: Refusals
    exchange: Exchange
    predict: Endpoint
    batch: Endpoint
    explain: Endpoint
    labels: Endpoint
    labelling: Labelling
    explanations: ExplanationQueue
    predictor: Predictor
    following: Following
    catalogue: Catalogue
    publisher: Publisher
    mirror: Mirror
    outbox: Outbox
    settler: Settler
    ledger: Ledger
    telemetry: Telemetry
    metrics: Callable[[], bytes]
    alias: str


def build_router(services: Services) -> APIRouter:
    """All routes. POST /predict is usually answered before it gets here: see `api.http.edge`."""
    router = APIRouter()

    async def answered(endpoint: Endpoint, request: Request) -> Response:
        headers, peer = request.scope["headers"], request.scope.get("client")
        return to_response(await services.exchange.run(endpoint, headers, request.receive, peer))

    @router.post(services.predict.path, responses=_PREDICT_DOCS, summary="Predict one row", tags=["predictions"])
    async def predict(request: Request) -> Response:
        return await answered(services.predict, request)

    @router.post(services.batch.path, responses=_BATCH_DOCS, summary="Predict many rows", tags=["predictions"])
    async def batch(request: Request) -> Response:
        return await answered(services.batch, request)

    @router.post(services.explain.path, responses=_EXPLAIN_DOCS, summary="Explain one score", tags=["predictions"])
    async def explain(request: Request) -> Response:
        return await answered(services.explain, request)

    @router.post(
        services.labels.path,
        status_code=services.labels.status,
        responses=_LABEL_DOCS,
        summary="Tell the truth about predictions",
        description=_LABELS,
        tags=["labels"],
    )
    async def labels(request: Request) -> Response:
        return await answered(services.labels, request)

    router.include_router(lookup_routes(services.mirror))
    router.include_router(
        model_routes(services.predictor, services.catalogue, services.alias, services.following.rollouts.state)
    )
    router.include_router(
        health_routes(
            lambda: _readiness(services),
            services.metrics,
            lambda headers: services.guard.knows(headers, SCOPE),
        )
    )
    return router


def _readiness(services: Services) -> Readiness:
    return readiness(
        model=services.predictor.health,
        outbox=_outbox_health(services.outbox),
        kafka=services.publisher.health,
        redis=services.mirror.health,
        registry=_registry_health(services),
        labels=services.labelling.health,
    )


def _registry_health(services: Services) -> Health:
    """Polling goes on without model-events, so that alone degrades nothing; it is said."""
    registry, listener = services.following.champion.health, services.following.listener.health
    return registry if listener.ok else Health(registry.ok, f"{registry.detail}; {listener.detail}")


def _outbox_health(outbox: Outbox) -> Health:
    accepts = outbox.accepts()
    waiting = f"{outbox.backlog.pending_bytes} bytes wait for Kafka"
    return Health(accepts, f"{outbox.trouble}; {waiting}" if outbox.trouble else waiting)
