"""Things that tests need, with defaults you override by name: an event, a schema, a baseline, counts of a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from contracts.baseline import Baseline, Positives, Reference
from contracts.binning import Bins, Levels
from contracts.events import EventId, PredictionEvent
from contracts.histogram import Histogram
from contracts.schema import Feature, FeatureSchema

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)


def a_schema(
    numeric: Sequence[str] = ("distance", "seats"), categorical: Sequence[str] = ("carrier",)
) -> FeatureSchema:
    return FeatureSchema(
        (*(Feature(name, "numeric") for name in numeric), *(Feature(name, "categorical") for name in categorical))
    )


def reference_columns(schema: FeatureSchema, rows: int = 5_000, seed: int = 0) -> dict[str, Any]:
    """Numeric features are normal, mean 100 + 10 * position, sd 10; categorical ones are a, b, c with .6, .3, .1."""
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {}
    for i, feature in enumerate(schema.features):
        if feature.kind == "numeric":
            columns[feature.name] = rng.normal(100 + 10 * i, 10, rows)
        elif feature.kind == "categorical":
            columns[feature.name] = rng.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1]).tolist()
        else:
            columns[feature.name] = (rng.random(rows) < 0.5).tolist()
    return columns


def a_baseline(
    *,
    model: str = "flights",
    version: str = "1",
    schema: FeatureSchema | None = None,
    columns: Mapping[str, Any] | None = None,
    scores: Any = None,
    threshold: float | None = 0.5,
    rows: int = 5_000,
    seed: int = 0,
) -> Baseline:
    """A baseline over `reference_columns`, scores uniform; deterministic for its arguments."""
    schema = schema or a_schema()
    columns = columns or reference_columns(schema, rows, seed)
    scores = np.random.default_rng(seed + 1).random(rows) if scores is None else np.asarray(scores)
    features = {}
    for feature in schema.monitored:
        column = columns[feature.name]
        histogram = Histogram(Bins.fit(np.asarray(column)) if feature.kind == "numeric" else Levels.fit(column))
        histogram.add(column)
        features[feature.name] = Reference.of(histogram)
    score = Histogram(Bins.fit(scores))
    score.add(scores)
    positives = None if threshold is None else Positives(int((scores >= threshold).sum()), len(scores))
    return Baseline(
        model=model,
        version=version,
        schema=schema,
        features=features,
        score=Reference.of(score),
        created=NOON,
        rows=rows,
        threshold=threshold,
        positives=positives,
        performance={"auc": 0.8},
        data_digest="0" * 64,
        code_revision="test",
    )


def an_event_id(sequence: int = 0, *, source: str = "api.00", epoch: int = NOON_MS) -> str:
    return str(EventId(source, epoch, sequence))


def an_event(
    *,
    id: str | None = None,
    sequence: int = 0,
    event_time: datetime = NOON,
    model: str = "flights",
    model_version: str = "1",
    score: float = 0.25,
    decision: bool | None = False,
    entity_id: str | None = "N14228",
    features: Any = None,
) -> PredictionEvent[Any]:
    """An event with features as a mapping; `encode_event` makes the record's value of it."""
    return PredictionEvent(
        id=an_event_id(sequence) if id is None else id,
        event_time=event_time,
        model=model,
        model_version=model_version,
        score=score,
        decision=decision,
        entity_id=entity_id,
        latency_ms=1.5,
        features={"distance": 100.0, "seats": 110.0, "carrier": "a"} if features is None else features,
    )
