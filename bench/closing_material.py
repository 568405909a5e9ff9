"""Baselines and windows of any number of features for the benchmark `closing`: the twenty mixed ones over and over."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from bench.detection.features import FEATURES, SCORE, THRESHOLD
from bench.detection.reference import Drawn
from contracts.baseline import Baseline, Reference
from contracts.reports import DriftReport
from contracts.schema import Feature, FeatureSchema
from contracts.variation import LearntNull
from contracts.window import WindowCounts
from stream_app.drift.natural import LEARNABLE
from stream_app.drift.report import report

HOUR_MS = 3_600_000
_VARIES = LearntNull(varies=True, between=1e-4, mean=1.0, shape=2.0, windows=60)


def widened(baseline: Baseline, features: int) -> Baseline:
    """With so many features; those past the twentieth are the first ones under other names."""
    chosen = [FEATURES[i % len(FEATURES)] for i in range(features)]
    named = {f"{feature.name}_{i // len(FEATURES)}": feature for i, feature in enumerate(chosen)}
    schema = FeatureSchema(tuple(Feature(name, of.kind) for name, of in named.items()))  # type: ignore[arg-type]
    references = {name: baseline.features[of.name] for name, of in named.items()}
    return msgspec.structs.replace(baseline, schema=schema, features=references)


def varying(baseline: Baseline) -> Baseline:
    """With a learnt null for every statistic of everything: the most that natural variation can cost."""
    natural = dict.fromkeys(LEARNABLE, _VARIES)

    def learnt(reference: Reference) -> Reference:
        return msgspec.structs.replace(reference, natural=natural)

    features = {name: learnt(reference) for name, reference in baseline.features.items()}
    return msgspec.structs.replace(
        baseline, features=features, score=learnt(baseline.score), natural_positives={"positives": _VARIES}
    )


def drawn_rows(features: int, rows: int, rng: np.random.Generator) -> tuple[list[Any], Any]:
    """Columns of a window in which nothing changed, and its scores."""
    columns = [FEATURES[i % len(FEATURES)].column(rng, rows) for i in range(features)]
    return columns, SCORE.column(rng, rows)


def counted(baseline: Baseline, columns: list[Any], scores: Any) -> WindowCounts:
    """The rows counted over the baseline's bins."""
    window = WindowCounts(baseline)
    window.add_columns(columns, scores, (scores >= THRESHOLD).tolist())
    return window


def closed(baseline: Baseline, window: WindowCounts) -> DriftReport:
    """What a window's close makes."""
    return report(
        baseline, window, window_start=0, window_end=HOUR_MS, rows=window.rows, merged_windows=0, partitions={0: 1}
    )


def drawn_baseline(seed: int, rows: int) -> Baseline:
    """Of the twenty features."""
    return Drawn(seed, rows=rows).baseline
