"""Scorer size: what it takes to serve a version: bytes of its file, and processor time of a row."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from contracts.compiled_scorer import CompiledScorer
from contracts.schema import FeatureSchema
from training.compiled.export import Export, frame_of
from training.compiled.poison import rows_of
from training.evaluation.record import ScorerSize
from training.fitting.fit import one_openmp_thread
from training.fitting.pipeline import scores_of

BATCH = 64
_SECONDS = 0.15
"""Processor time that each measurement may take, about."""


def scorer_size(
    exported: Export, model: Any, model_bytes: int, features: pd.DataFrame, schema: FeatureSchema
) -> ScorerSize:
    """features: rows to score. Times are of this machine, the median of five runs."""
    rows = rows_of(features.iloc[:BATCH], schema)
    compiled = exported.compiled
    score: Callable[[Any], Any]
    if compiled is None:
        kind, size = "model", model_bytes
        score = lambda some: scores_of(model, frame_of(some, schema))  # noqa: E731
    else:
        scorer = CompiledScorer(compiled)
        kind, size, score = scorer.kind, len(compiled.to_bytes()), scorer.score
    with one_openmp_thread():
        one = _microseconds(lambda: score(rows[:1]))
        batch = _microseconds(lambda: score(rows)) / len(rows)
    return ScorerSize(
        kind=kind,
        bytes=size,
        one_row=round(one, 2),
        batch_row=round(batch, 2),
        difference=exported.difference,
        said=exported.said,
    )


def _microseconds(run: Callable[[], Any]) -> float:
    """Of one call, processor time. A batch of calls is timed as one, for the clock is coarse."""
    run()
    calls, took = 1, 0.0
    while (took := _timed(run, calls)) < _SECONDS / 20 and calls < 10_000:
        calls *= 4
    times = [took / calls] + [_timed(run, calls) / calls for _ in range(4)]
    return float(np.median(times) * 1e6)


def _timed(run: Callable[[], Any], calls: int) -> float:
    start = time.process_time()
    for _ in range(calls):
        run()
    return time.process_time() - start
