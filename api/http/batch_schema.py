"""JSON Schema of POST /predict/batch: made of single requests, single answers and problems."""

from __future__ import annotations

from typing import Any

from api.requests.schemas import REFERENCE, example_features
from contracts.baseline import Baseline


def batch_schemas(baseline: Baseline | None, most: int) -> dict[str, Any]:
    """By name. baseline: of the version whose usual row is the example. most: rows in a request."""
    rows = {"type": "array", "items": _reference("PredictionRequest"), "minItems": 1, "maxItems": most}
    request: dict[str, Any] = {
        "title": "BatchRequest",
        "type": "object",
        "properties": {"rows": rows},
        "required": ["rows"],
        "additionalProperties": False,
    }
    if baseline is not None:
        row = {"features": example_features(baseline)}
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
                "items": {"anyOf": [_reference("PredictionAnswer"), _reference("RowRefused")]},
                "description": "One for each row, in the order of the request.",
            },
        },
        "required": ["answered", "refused", "predictions"],
    }
    refused = {
        "title": "RowRefused",
        "type": "object",
        "properties": {"error": _reference("Problem")},
        "required": ["error"],
        "description": "In the place of a prediction. Pointers are into the request: /rows/17/features/distance.",
    }
    return {"BatchRequest": request, "BatchAnswer": answer, "RowRefused": refused}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": REFERENCE.format(name=name)}
