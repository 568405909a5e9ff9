"""False alarms of windows like the reference, power against a falling AUC, and coverage of the intervals."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from bench.performance.scores import MODELS, Draw, baseline_of, judged, normal
from contracts.performance import PerformanceReport
from stream_app.alerting.performance_judging import judged_performance
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.alerting.policy_state import PolicyState

REFERENCE_ROWS = 20_000
REFERENCES = 5
"""Drawn anew for each so many windows: a reference's own chance is in the figures too."""
SLOPES = (1.0, 0.8, 0.65, 0.5)


class Quiet(msgspec.Struct, frozen=True):
    """Of windows of one model. alarms: share that is degraded by any measure; insufficient: share with too few labels
    to compare; pages: raised in all of them, in order, by 2 of the last 3."""

    model: str
    rows: int
    windows: int
    alarms: float
    insufficient: float
    pages: int


class Found(msgspec.Struct, frozen=True):
    """Windows in which the AUC really fell by so much, and the share of them that is degraded."""

    rows: int
    auc_drop: float
    found: float


def quiet(seed: int, sizes: Sequence[int], windows: int) -> list[Quiet]:
    """Every model, at each number of rows."""
    return [_quiet(name, draw, rows, windows, seed) for name, draw in MODELS.items() for rows in sizes]


def power(seed: int, sizes: Sequence[int], windows: int) -> list[Found]:
    """Of the model with a fifth positive."""
    rng = np.random.default_rng([seed, 7])
    baseline = baseline_of(MODELS["a fifth positive"](rng, REFERENCE_ROWS), seed)
    found = []
    for slope in SLOPES:
        draw = normal(-1.6, 1.0, slope)
        truth = _auc(judged(baseline, draw(rng, 500_000)))
        best = _auc(judged(baseline, MODELS["a fifth positive"](rng, 500_000)))
        for rows in sizes:
            degraded = sum(judged(baseline, draw(rng, rows), n).status == "degraded" for n in range(windows))
            found.append(Found(rows, round(best - truth, 3), degraded / windows))
    return found


def _quiet(name: str, draw: Draw, rows: int, windows: int, seed: int) -> Quiet:
    rng = np.random.default_rng([seed, rows, len(name)])
    statuses, pages = [], 0
    for part in range(REFERENCES):
        baseline, state = baseline_of(draw(rng, REFERENCE_ROWS), seed + part), PolicyState()
        for number in range(windows // REFERENCES):
            found = judged(baseline, draw(rng, rows), number)
            statuses.append(found.status)
            state, alerts = judged_performance(found, state, PolicyConfig())
            pages += sum(alert.transition == "raise" for alert in alerts)
    alarms, insufficient = (statuses.count(status) / len(statuses) for status in ("degraded", "insufficient"))
    return Quiet(name, rows, len(statuses), alarms, insufficient, pages)


def _auc(found: PerformanceReport) -> float:
    metric = found.metric("auc")
    assert metric is not None
    return metric.value
