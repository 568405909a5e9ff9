"""The model versions of the load: two versions of one model with different schemas, and another model."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from contracts.baseline import Baseline, Positives, Reference
from contracts.binning import Bins, Levels
from contracts.histogram import Histogram
from contracts.schema import Feature, FeatureSchema

THRESHOLD = 0.5
_CREATED = datetime(2026, 1, 1, tzinfo=UTC)
_LEVELS = np.array(["a", "b", "c"])
_MISSING = 0.02

Column = npt.NDArray[Any]
Columns = dict[str, Column]
"""By feature: numbers with nan for what is missing, or texts."""

SCHEMAS: dict[tuple[str, str], FeatureSchema] = {
    ("flights", "1"): FeatureSchema(
        (Feature("distance", "numeric"), Feature("seats", "numeric"), Feature("carrier", "categorical"))
    ),
    ("flights", "2"): FeatureSchema(
        (
            Feature("carrier", "categorical"),
            Feature("distance", "numeric"),
            Feature("delay", "numeric"),
            Feature("seats", "numeric"),
        )
    ),
    ("payments", "1"): FeatureSchema((Feature("amount", "numeric"), Feature("country", "categorical"))),
}


def draw(schema: FeatureSchema, rows: int, rng: np.random.Generator) -> tuple[Columns, Column]:
    """Values of each feature, and scores, of so many events."""
    columns: Columns = {}
    for feature in schema.features:
        if feature.kind == "numeric":
            numbers = rng.normal(100.0, 10.0, rows)
            columns[feature.name] = np.where(rng.random(rows) < _MISSING, np.nan, numbers)
        else:
            columns[feature.name] = rng.choice(_LEVELS, rows, p=[0.6, 0.3, 0.1])
    return columns, rng.random(rows)


def baselines(seed: int, rows: int = 4000) -> tuple[Baseline, ...]:
    """One for each model version, over rows like those of the load."""
    rng = np.random.default_rng([seed, 1])
    return tuple(_baseline(model, version, schema, rows, rng) for (model, version), schema in SCHEMAS.items())


def _baseline(model: str, version: str, schema: FeatureSchema, rows: int, rng: np.random.Generator) -> Baseline:
    columns, scores = draw(schema, rows, rng)
    features = {}
    for feature in schema.monitored:
        column = columns[feature.name]
        histogram = Histogram(Bins.fit(column) if feature.kind == "numeric" else Levels.fit(column.tolist()))
        histogram.add(column if feature.kind == "numeric" else column.tolist())
        features[feature.name] = Reference.of(histogram)
    score = Histogram(Bins.fit(scores))
    score.add(scores)
    return Baseline(
        model=model,
        version=version,
        schema=schema,
        features=features,
        score=Reference.of(score),
        created=_CREATED,
        rows=rows,
        threshold=THRESHOLD,
        positives=Positives(int((scores >= THRESHOLD).sum()), rows),
    )
