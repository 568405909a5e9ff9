"""The OpenAPI page, made from the champion: another champion, another page.

FastAPI writes the paths; the schemas come from the very struct types that decode requests and encode answers.
"""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.explaining.answer import Explanation
from api.explaining.reading import explanation_schemas
from api.health import Readiness
from api.http.batch_schema import batch_schemas
from api.http.problems import CONTENT_TYPE, Problem
from api.models.registered import Models
from api.models.served import Served
from api.requests.schemas import REFERENCE, ModelInfo, PredictionAnswer, request_schemas
from contracts.events import FeatureValue, PredictionEvent

_Event = PredictionEvent[dict[str, FeatureValue]]
_EVENT = "PredictionEvent"
_BODIES = {"/predict": "PredictionRequest", "/predict/batch": "BatchRequest", "/explain": "ExplanationRequest"}


def reference(name: str) -> dict[str, str]:
    """A reference to one of the schemas."""
    return {"$ref": REFERENCE.format(name=name)}


def answers(name: str, description: str = "The answer.") -> dict[str, Any]:
    """`responses` of a route for its good answer."""
    return {"description": description, "content": {"application/json": {"schema": reference(name)}}}


def problem(description: str) -> dict[str, Any]:
    """`responses` of a route for a refusal."""
    return {"description": description, "content": {CONTENT_TYPE: {"schema": reference("Problem")}}}


def build_page(app: FastAPI, served: Served | None, batch_rows: int) -> dict[str, Any]:
    """The page as JSON. batch_rows: most in a request. Before a model is loaded the request has no feature names yet."""
    page = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    page.setdefault("components", {})["schemas"] = _schemas(served)
    page["components"]["schemas"] |= batch_schemas(None if served is None else served.baseline, batch_rows)
    for path, name in _BODIES.items():
        page["paths"][path]["post"]["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": reference(name)}},
        }
    if served is not None:
        page["info"]["description"] += f"\n\nServing `{served.key}`."
    return page


def _schemas(served: Served | None) -> dict[str, Any]:
    structs = (Problem, Readiness, ModelInfo, Models, PredictionAnswer, Explanation, _Event)
    references, schemas = msgspec.json.schema_components(structs, ref_template=REFERENCE)
    # a generic struct's own name has brackets, which a component's name may not have
    generated = references[-1]["$ref"].rsplit("/", 1)[1]
    schemas[_EVENT] = {**schemas.pop(generated), "title": _EVENT}
    schemas["Predictions"] = {
        "type": "object",
        "properties": {
            "predictions": {"type": "array", "items": reference(_EVENT)},
            "next_cursor": {
                "anyOf": [{"type": "string"}, {"type": "null"}],
                "description": "`cursor` of the next page; null: there is nothing more.",
            },
        },
        "required": ["predictions", "next_cursor"],
    }
    if served is None:
        unknown = {"type": "object", "description": "No model is loaded yet."}
        return {**schemas, "PredictionRequest": unknown, "ExplanationRequest": unknown}
    return {**schemas, **request_schemas(served.reader, served.baseline), **explanation_schemas(served)}
