"""The schemas of POST /labels for the OpenAPI page, from the very types that read its requests."""

from __future__ import annotations

import msgspec

from api.http.page_parts import Part, reference
from api.labels.reading import LabelRequest
from api.requests.schemas import REFERENCE

_EXAMPLE = {
    "prediction_id": "api.3f9a0c1b-0193f2a1b3c4-000000002a",
    "truth": 1,
    "labelled_at": "2026-01-31T12:00:00Z",
}
"""It has no receipt: one of another installation would be refused."""


def label_schemas(most: int) -> Part:
    """By their names. most: labels in a request."""
    _, schemas = msgspec.json.schema_components((LabelRequest,), ref_template=REFERENCE)
    schemas["LabelRequest"]["examples"] = [_EXAMPLE]
    schemas["LabelsRequest"] = {
        "title": "LabelsRequest",
        "type": "object",
        "properties": {
            "labels": {"type": "array", "items": reference("LabelRequest"), "minItems": 1, "maxItems": most}
        },
        "required": ["labels"],
        "additionalProperties": False,
    }
    schemas["LabelBody"] = {"anyOf": [reference("LabelRequest"), reference("LabelsRequest")]}
    count = {"type": "integer", "minimum": 0}
    schemas["LabelsAnswer"] = {
        "title": "LabelsAnswer",
        "type": "object",
        "properties": {
            "accepted": {**count, "description": "Labels that are committed, on their way to Kafka."},
            "refused": {**count, "description": "Labels that have an error."},
            "labels": {
                "type": "array",
                "items": {"anyOf": [reference("LabelAccepted"), reference("RowRefused")]},
                "description": "One for each label, in the order of the request.",
            },
        },
        "required": ["accepted", "refused", "labels"],
    }
    schemas["LabelAccepted"] = {
        "title": "LabelAccepted",
        "type": "object",
        "properties": {"prediction_id": {"type": "string"}, "accepted": {"const": True}},
        "required": ["prediction_id", "accepted"],
    }
    return schemas
