"""How far measures of binned scores are from scikit-learn's on the raw ones, at most, over some windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from sklearn import metrics as oracle

from bench.performance.quiet import REFERENCE_ROWS
from bench.performance.scores import MODELS, baseline_of, counted
from stream_app.performance.measures import measures

_EXACT: dict[str, Callable[[Any, Any], float]] = {
    "auc": oracle.roc_auc_score,
    "average_precision": oracle.average_precision_score,
    "log_loss": oracle.log_loss,
    "brier": oracle.brier_score_loss,
}


class Exactness(msgspec.Struct, frozen=True):
    """error: by measure, the largest difference. bins: that the score has."""

    model: str
    rows: int
    bins: int
    error: dict[str, float]


def exactness(seed: int, rows: int, windows: int) -> list[Exactness]:
    """Of every model."""
    found = []
    for name, draw in MODELS.items():
        rng = np.random.default_rng([seed, 11, len(name)])
        baseline = baseline_of(draw(rng, REFERENCE_ROWS), seed)
        error = dict.fromkeys(_EXACT, 0.0)
        for _ in range(windows):
            window = draw(rng, rows)
            ours = measures(baseline, counted(baseline, window).value())
            for measure, exact in _EXACT.items():
                error[measure] = max(error[measure], abs(ours[measure].value - exact(window.truths, window.scores)))
        rounded = {measure: round(size, 6) for measure, size in error.items()}
        found.append(Exactness(name, rows, baseline.score.bins.size, rounded))
    return found
