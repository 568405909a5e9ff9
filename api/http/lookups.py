"""GET /predictions/...: predictions that were made not long ago, from the mirror."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Response
from fastapi import Query as Parameter
from pydantic import BeforeValidator, WithJsonSchema

from api.http.page_parts import answers, problem
from api.http.parameters import only_known
from api.http.responses import json_response
from api.publishing.mirror import Mirror
from api.publishing.recent import Page, Query
from api.requests.cursor import CURSOR, read_cursor, write_cursor

_Id = Annotated[
    str,
    Path(
        min_length=1,
        max_length=300,
        description="`prediction_id` of the answer.",
        examples=["api.0a1b2c3d-0193f2a1b3c4-000000002a"],
    ),
]
_Limit = Annotated[int, Parameter(ge=1, le=1000, description="The most predictions on one page.")]
_Model = Annotated[
    str | None,
    Parameter(min_length=1, max_length=300, description="Only this model: `name`, or `name/version`."),
]
_Entity = Annotated[
    str | None, Parameter(min_length=1, max_length=200, description="Only this entity: `entity_id` of the request.")
]
_Decision = Annotated[Literal["true", "false"] | None, Parameter(description="Only predictions with this decision.")]
_Cursor = Annotated[
    int | None,
    BeforeValidator(read_cursor),
    WithJsonSchema({"type": "string", "pattern": CURSOR}),
    Parameter(description="`next_cursor` of the page before; without it the newest page."),
]
_RECENT = """Newest first. All filters that are given must fit.

**Pages.** Ask again with `cursor` = `next_cursor`, until that is null: no prediction that is kept is left out and none
comes twice, whatever is predicted meanwhile (what is newer than the first page is on a first page of its own).
One request reads at most 2,000 predictions: with `model` or `decision` a page may be short, or empty, and still have a
`next_cursor`. A cursor is good with other filters too, and for as long as predictions are kept.

**What is kept.** The last API_MIRROR_CAP predictions, of each entity the last API_MIRROR_ENTITY_CAP, none for longer
than API_MIRROR_TTL_SECONDS. A prediction is here some 20 to 50 ms after its answer, unless Redis was away then."""


def lookup_routes(mirror: Mirror) -> APIRouter:
    """The routes that read the mirror."""
    router = APIRouter(tags=["predictions"], dependencies=[Depends(only_known)])

    @router.get(
        "/predictions/recent",
        responses={
            200: answers("Predictions"),
            422: problem("A wrong parameter."),
            503: problem("Redis is away, or does not answer so many look-ups at a time."),
        },
        summary="The newest predictions",
        description=_RECENT,
    )
    async def recent_predictions(
        model: _Model = None,
        entity: _Entity = None,
        decision: _Decision = None,
        limit: _Limit = 20,
        cursor: _Cursor = None,
    ) -> Response:
        wanted = None if decision is None else decision == "true"
        return json_response(_written(await mirror.recent(Query(limit, model, entity, wanted, cursor))))

    @router.get(
        "/predictions/{prediction_id}",
        responses={
            200: answers("PredictionEvent"),
            404: problem("Never made, or no longer kept."),
            422: problem("A wrong parameter."),
            503: problem("Redis is away, or does not answer so many look-ups at a time."),
        },
        summary="One prediction",
    )
    async def prediction(prediction_id: _Id) -> Response:
        return json_response(await mirror.one(prediction_id))

    return router


def _written(page: Page) -> bytes:
    """The events are JSON already."""
    next_cursor = b"null" if page.next is None else b'"' + write_cursor(page.next).encode() + b'"'
    return b'{"predictions":[' + b",".join(page.events) + b'],"next_cursor":' + next_cursor + b"}"
