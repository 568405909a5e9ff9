"""Performance reports for tests: baselines that know how their scores turned out, and windows of labels."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from contracts.baseline import Baseline, Reference
from contracts.histogram import Histogram
from contracts.performance import Measured, PerformanceReport, performance_id
from stream_app.performance.counting import OutcomeCounts
from tests.alerting import HOUR, window
from tests.builders import NOON, a_baseline
from training.baselines.outcomes import with_outcomes
from training.baselines.score_bins import fit_score_bins

BEFORE = {"auc": 0.784, "log_loss": 0.42}


def a_performance_report(
    number: int, *, revision: int = 1, labelled: int = 1000, predictions: int | None = 1000, **now: float
) -> PerformanceReport:
    """The n-th window; a measure that is given is degraded: `auc=.725`. The other of BEFORE is as it was."""
    metrics = tuple(
        Measured(
            name=name,
            value=now.get(name, before),
            better="higher" if name == "auc" else "lower",
            low=now.get(name, before) - 0.01,
            high=now.get(name, before) + 0.01,
            reference=before,
            reference_low=before - 0.001,
            reference_high=before + 0.001,
            p_value=3e-9 if name in now else 0.5,
            degraded=name in now,
        )
        for name, before in BEFORE.items()
    )
    return PerformanceReport(
        id=performance_id("flights", "3", window(number), revision),
        model="flights",
        version="3",
        baseline="0123456789abcdef",
        window_start=window(number),
        window_end=window(number) + HOUR,
        revision=revision,
        labelled=labelled,
        predictions=predictions,
        positives=labelled // 5,
        status="degraded" if now else "well",
        metrics=metrics,
        degraded=tuple(now),
    )


def a_covered_window(window: int, **changes: Any) -> PerformanceReport:
    """The n-th hour from NOON, all of it labelled unless `changes` say otherwise."""
    start = NOON + window * HOUR
    fields: dict[str, Any] = {
        "id": "p",
        "model": "flights",
        "version": "1",
        "baseline": "0" * 16,
        "window_start": start,
        "window_end": start + HOUR,
        "revision": 1,
        "labelled": 100,
        "predictions": 100,
        "positives": 10,
        "status": "well",
        "metrics": (),
    }
    return PerformanceReport(**{**fields, **changes})


Rows = tuple[np.ndarray, np.ndarray]


def chances(
    rows: int, seed: Any, *, centre: float = -1.6, sd: float = 1.0, slope: float = 1.0, shift: float = 0.0
) -> Rows:
    """Scores whose logit is normal, and truths. slope, shift: of the logit of the truth over the score's; with 1 and 0
    scores are the very chances, with less slope they rank worse."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(centre, sd, rows)
    truths = rng.random(rows) < 1 / (1 + np.exp(-(centre + slope * (logit - centre) + shift)))
    return 1 / (1 + np.exp(-logit)), truths.astype(np.int64)


def a_judged_baseline(scores: np.ndarray, truths: np.ndarray, threshold: float | None = 0.4) -> Baseline:
    """Over the bins that training gives a score, with the outcomes of these rows."""
    histogram = Histogram(fit_score_bins(scores))
    histogram.add(scores)
    plain = msgspec.structs.replace(a_baseline(scores=scores, threshold=threshold), score=Reference.of(histogram))
    return with_outcomes(plain, scores, truths)


def counted(baseline: Baseline, rows: Rows) -> OutcomeCounts:
    """A window's labels."""
    counts = OutcomeCounts(baseline)
    counts.add(*rows)
    return counts
