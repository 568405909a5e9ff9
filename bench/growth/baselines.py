"""Baselines of made-up models: numeric features, normal with mean 100 and standard deviation 10."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from contracts.baseline import Baseline, Reference
from contracts.binning import Bins
from contracts.histogram import Histogram
from contracts.schema import Feature, FeatureSchema

_ROWS = 2_000
_CREATED = datetime(2026, 1, 1, tzinfo=UTC)


def a_baseline_of(features: int, *, model: str, version: str = "1", seed: int = 1) -> Baseline:
    """A baseline of so many numeric features, `f00` and so on; scores are uniform."""
    rng = np.random.default_rng(seed)
    names = [f"f{i:02}" for i in range(features)]
    schema = FeatureSchema(tuple(Feature(name, "numeric") for name in names))
    values = rng.normal(100, 10, (_ROWS, features))
    return Baseline(
        model=model,
        version=version,
        schema=schema,
        features={name: _reference(values[:, i]) for i, name in enumerate(names)},
        score=_reference(rng.random(_ROWS)),
        created=_CREATED,
        rows=_ROWS,
        threshold=0.5,
        performance={},
    )


def _reference(values: np.ndarray) -> Reference:
    histogram = Histogram(Bins.fit(values))
    histogram.add(values)
    return Reference.of(histogram)
