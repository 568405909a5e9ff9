"""Baselines and windows of any number of features for the benchmark `closing`: a few mixed ones over and over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from contracts.baseline import Baseline, Reference
from contracts.reports import DriftReport
from contracts.schema import Feature, FeatureSchema, Kind
from contracts.variation import LearntNull
from contracts.window import WindowCounts
from stream_app.drift.natural import LEARNABLE
from stream_app.drift.report import report
from training.baselines.histograms import Origin, count_positives, count_references
from training.data.columns import feature_frame

THRESHOLD = 0.5
HOUR_MS = 3_600_000
_VARIES = LearntNull(varies=True, between=1e-4, mean=1.0, shape=2.0, windows=60)


def _draws(rng: np.random.Generator, rows: int) -> dict[str, Callable[[], Any]]:
    """By the names of the features: continuous ones, some with missing values, tied ones, and categorical ones."""
    levels = np.array([f"level {i}" for i in range(500)], dtype=object)
    rare = 1 / np.arange(1, 501)
    return {
        "normal": lambda: rng.normal(60, 15, rows),
        "lognormal": lambda: rng.lognormal(3, 1, rows),
        "student_t": lambda: rng.standard_t(3, rows),
        "zero_inflated": lambda: np.where(rng.random(rows) < 0.7, 0.0, rng.gamma(2, 30, rows)),
        "count": lambda: rng.poisson(3, rows).astype(float),
        "bounded": lambda: rng.beta(2, 5, rows),
        "missing": lambda: np.where(rng.random(rows) < 0.1, np.nan, rng.gamma(4, 25, rows)),
        "rounded": lambda: np.round(rng.normal(20, 5, rows), 1),
        "few_levels": lambda: rng.choice(levels[:5], rows),
        "many_levels": lambda: rng.choice(levels, rows, p=rare / rare.sum()),
    }


_NAMES = ("normal", "lognormal", "student_t", "zero_inflated", "count", "bounded", "missing", "rounded", "normal",
          "lognormal", "few_levels", "student_t", "bounded", "missing", "rounded", "normal", "lognormal", "student_t",
          "count", "many_levels")  # fmt: skip


def drawn_baseline(seed: int, rows: int, features: int) -> Baseline:
    """Of so many features; those with the same distribution share one reference."""
    rng = np.random.default_rng(seed)
    draws = _draws(rng, rows)
    few = FeatureSchema(tuple(Feature(name, _kind(name)) for name in draws))
    table = pd.DataFrame({name: draw() for name, draw in draws.items()})
    scores = rng.beta(2, 5, rows)
    counted_once = count_references(feature_frame(table, few), few, scores, seed)
    origin = Origin("closing", "1", datetime(2026, 1, 1, tzinfo=UTC), "", "")
    baseline = counted_once.baseline(origin, THRESHOLD, count_positives(scores, THRESHOLD))
    of = {f"{name}_{i}": name for i, name in enumerate(_names(features))}
    schema = FeatureSchema(tuple(Feature(name, _kind(kind)) for name, kind in of.items()))
    references = {name: baseline.features[kind] for name, kind in of.items()}
    return msgspec.structs.replace(baseline, schema=schema, features=references)


def _names(features: int) -> list[str]:
    return [_NAMES[i % len(_NAMES)] for i in range(features)]


def _kind(name: str) -> Kind:
    return "categorical" if "levels" in name else "numeric"


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
    draws = _draws(rng, rows)
    return [draws[name]() for name in _names(features)], rng.beta(2, 5, rows)


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
