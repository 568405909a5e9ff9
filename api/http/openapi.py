"""The OpenAPI page, made from the champion: another champion, another page.

FastAPI writes the paths; the schemas come from the very struct types that decode requests and encode answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.explaining.answer import Explanation
from api.explaining.reading import explanation_schemas
from api.health import Readiness
from api.http.admission import OPEN, SCOPE
from api.http.exchange import Endpoint
from api.http.label_page import label_schemas
from api.http.page_parts import ANSWER_HEADERS, REQUEST_HEADERS, SECURITY, Part, complete, reference
from api.http.problems import Problem
from api.models.registered import Models
from api.models.served import Served
from api.requests.schemas import REFERENCE, ModelInfo, PredictionAnswer, example_features, request_schemas
from contracts.events import FeatureValue, PredictionEvent

_Event = PredictionEvent[dict[str, FeatureValue]]
_EVENT = "PredictionEvent"
_BODIES = {
    "/predict": "PredictionRequest",
    "/predict/batch": "BatchRequest",
    "/explain": "ExplanationRequest",
    "/labels": "LabelBody",
}


_FOR_KEYS = """

This page is the general one. With an API key it has the model's own features, and an example that can be sent as it
is: `curl -H 'X-API-Key: KEY'` of `/openapi.json`. **Authorize** lets you try the routes, but does not load it again."""


class _Built(NamedTuple):
    served: Served | None
    keyed: bool
    page: Part


class Pages:
    """The last pages that were built: building takes milliseconds, in which nobody is answered. One is the champion's,
    the other the general one.

    endpoints: all of POST. batch_rows: most in one request of POST /predict/batch.
    """

    def __init__(self, endpoints: Sequence[Endpoint], batch_rows: int) -> None:
        self._endpoints = {endpoint.path: endpoint for endpoint in endpoints}
        self._batch_rows = batch_rows
        self._built: dict[bool, _Built] = {}

    def page(self, app: FastAPI, served: Served | None, *, keyed: bool) -> Part:
        """The page as JSON. keyed: whether clients need an API key.

        served None: the general page, without the names of features: before a model is loaded, and for strangers.
        """
        built = self._built.get(served is None)
        if built is None or built.served is not served or built.keyed != keyed:
            built = _Built(served, keyed, self._build(app, served, keyed))
            self._built[served is None] = built
        return built.page

    def _build(self, app: FastAPI, served: Served | None, keyed: bool) -> Part:
        page = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        components = page.setdefault("components", {})
        rows = _batch_schemas(served, self._batch_rows) | label_schemas(self._batch_rows)
        components |= {"schemas": _schemas(served) | rows, "parameters": REQUEST_HEADERS, "headers": ANSWER_HEADERS}
        if keyed:
            components["securitySchemes"] = SECURITY
        for path, methods in page["paths"].items():
            for method, operation in methods.items():
                posted = self._endpoints.get(path) if method == "post" else None
                scope = None if path in OPEN else SCOPE if posted is None else posted.scope
                once = posted is not None and posted.once
                complete(operation, scope=scope, keyed=keyed, body=posted is not None, once=once)
        for path, name in _BODIES.items():
            page["paths"][path]["post"]["requestBody"] = {
                "required": True,
                "content": {"application/json": {"schema": reference(name)}},
            }
        if served is not None:
            page["info"]["description"] += f"\n\nServing `{served.key}`."
        elif keyed:
            page["info"]["description"] += _FOR_KEYS
        return page


def _schemas(served: Served | None) -> Part:
    structs = (Problem, Readiness, ModelInfo, Models, PredictionAnswer, Explanation, _Event)
    references, schemas = msgspec.json.schema_components(structs, ref_template=REFERENCE)
    # a generic struct's own name has brackets, which a component's name may not have
    generated = references[-1]["$ref"].rsplit("/", 1)[1]
    schemas[_EVENT] = {**schemas.pop(generated), "title": _EVENT}
    schemas["Liveness"] = {
        "type": "object",
        "properties": {"status": {"const": "live"}},
        "required": ["status"],
    }
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
        unknown = {
            "type": "object",
            "description": "Not shown: no model is loaded yet, or the page was asked for without an API key.",
        }
        return {**schemas, "PredictionRequest": unknown, "ExplanationRequest": unknown}
    return {**schemas, **request_schemas(served.reader, served.baseline), **explanation_schemas(served)}


def _batch_schemas(served: Served | None, most: int) -> Part:
    """Of POST /predict/batch, made of single requests, single answers and problems. most: rows in a request."""
    rows = {"type": "array", "items": reference("PredictionRequest"), "minItems": 1, "maxItems": most}
    request: Part = {
        "title": "BatchRequest",
        "type": "object",
        "properties": {"rows": rows},
        "required": ["rows"],
        "additionalProperties": False,
    }
    if served is not None:
        row = {"features": example_features(served.baseline)}
        request["example"] = {"rows": [{"entity_id": "one", **row}, {"entity_id": "another", **row}]}
    count = {"type": "integer", "minimum": 0}
    answer = {
        "title": "BatchAnswer",
        "type": "object",
        "properties": {
            "answered": {**count, "description": "Rows that have a prediction; each is an event."},
            "refused": {**count, "description": "Rows that have an error, and no event."},
            "predictions": {
                "type": "array",
                "items": {"anyOf": [reference("PredictionAnswer"), reference("RowRefused")]},
                "description": "One for each row, in the order of the request.",
            },
        },
        "required": ["answered", "refused", "predictions"],
    }
    refused = {
        "title": "RowRefused",
        "type": "object",
        "properties": {"error": reference("Problem")},
        "required": ["error"],
        "description": "In the place of a prediction. Pointers are into the request: /rows/17/entity_id.",
    }
    return {"BatchRequest": request, "BatchAnswer": answer, "RowRefused": refused}
