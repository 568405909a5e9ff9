"""JSON Schema (2020-12) of every JSON message, made from the structs that read and write them."""

from __future__ import annotations

from typing import Any

import msgspec

from contracts.alerts import DriftAlert
from contracts.baseline import Baseline
from contracts.dead_letters import DeadLetter
from contracts.events import FeatureValue, PredictionEvent
from contracts.labels import Label
from contracts.model_events import ModelEvent
from contracts.mutes import Mute
from contracts.performance import PerformanceReport
from contracts.reports import DriftReport
from contracts.resent_letters import ResentLetter

DIALECT = "https://json-schema.org/draft/2020-12/schema"

MESSAGES: dict[str, Any] = {
    "prediction-event": PredictionEvent[dict[str, FeatureValue]],
    "label": Label,
    "performance-report": PerformanceReport,
    "model-event": ModelEvent,
    "baseline": Baseline,
    "drift-report": DriftReport,
    "drift-alert": DriftAlert,
    "mute": Mute,
    "dead-letter": DeadLetter,
    "resent-letter": ResentLetter,
}
"""File name of the schema -> the message's type. window-partials are MessagePack and private to stream_app."""


def json_schemas() -> dict[str, dict[str, Any]]:
    """The schema of each message, by name."""
    schemas = {name: msgspec.json.schema(message) for name, message in MESSAGES.items()}
    for schema in schemas.values():
        for definition in schema.get("$defs", {}).values():
            if "description" in definition:
                definition["description"] = " ".join(definition["description"].split())
    return {name: {"$schema": DIALECT, "title": name, **schema} for name, schema in schemas.items()}
