"""The OpenAPI page, made from the champion: another champion, another page.

FastAPI writes the paths; the schemas come from the very struct types that decode requests and encode answers.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.explaining.answer import Explanation
from api.explaining.reading import explanation_schemas
from api.health import Readiness
from api.http.admission import OPEN, SCOPE
from api.http.batch_schema import batch_schemas
from api.http.exchange import Endpoint
from api.http.page_parts import ANSWER_HEADERS, REQUEST_HEADERS, SECURITY, Part, complete, reference
from api.http.problems import Problem
from api.models.registered import Models
from api.models.served import Served
from api.requests.schemas import REFERENCE, ModelInfo, PredictionAnswer, request_schemas
from contracts.events import FeatureValue, PredictionEvent

_Event = PredictionEvent[dict[str, FeatureValue]]
_EVENT = "PredictionEvent"
_BODIES = {"/predict": "PredictionRequest", "/predict/batch": "BatchRequest", "/explain": "ExplanationRequest"}


class Pages:
    """The last page that was built: building takes milliseconds, in which nobody is answered.

    endpoints: all of POST. batch_rows: most in one request of POST /predict/batch.
    """

    def __init__(self, endpoints: Sequence[Endpoint], batch_rows: int) -> None:
        self._endpoints = {endpoint.path: endpoint for endpoint in endpoints}
        self._batch_rows = batch_rows
        self._of: tuple[Served | None, bool] | None = None
        self._page: Part = {}

    def page(self, app: FastAPI, served: Served | None, *, keyed: bool) -> Part:
        """The page as JSON. keyed: whether clients need an API key.

        Before a model is loaded the request has no feature names yet.
        """
        if self._of is None or self._of[0] is not served or self._of[1] != keyed:
            self._page = self._build(app, served, keyed)
            self._of = (served, keyed)
        return self._page

    def _build(self, app: FastAPI, served: Served | None, keyed: bool) -> Part:
        page = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        components = page.setdefault("components", {})
        rows = batch_schemas(None if served is None else served.baseline, self._batch_rows)
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
        unknown = {"type": "object", "description": "No model is loaded yet."}
        return {**schemas, "PredictionRequest": unknown, "ExplanationRequest": unknown}
    return {**schemas, **request_schemas(served.reader, served.baseline), **explanation_schemas(served)}
