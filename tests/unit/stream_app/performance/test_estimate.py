"""Estimated performance: right while scores mean what they meant, whatever scores come; blind when they do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.baseline import Baseline
from contracts.histogram import Histogram
from contracts.performance import Estimated
from contracts.reports import DriftReport
from contracts.window import WindowCounts
from stream_app.drift.report import report
from stream_app.performance.estimate import estimated, rising_chances
from stream_app.performance.measures import measures
from tests.builders import NOON_MS, a_baseline, reference_columns
from tests.performance import a_judged_baseline, chances, counted

BASELINE = a_judged_baseline(*chances(20_000, 0))


def estimate(scores: np.ndarray, baseline: Baseline = BASELINE) -> Estimated:
    histogram = Histogram(baseline.score.bins)
    histogram.add(scores)
    found = estimated(baseline, histogram)
    assert found is not None
    return found


@pytest.mark.parametrize("changed", [{}, {"sd": 0.5}, {"centre": -2.5}, {"centre": -0.5, "sd": 1.3}])
def test_other_scores_with_the_same_meaning_are_estimated_right(changed: dict[str, float]) -> None:
    """The meaning: truth 1 has the chance that the score says."""
    centre = changed.get("centre", -1.6)
    rng = np.random.default_rng(1)
    scores = 1 / (1 + np.exp(-rng.normal(centre, changed.get("sd", 1.0), 50_000)))
    truths = (rng.random(50_000) < scores).astype(int)
    found, real = estimate(scores), measures(BASELINE, counted(BASELINE, (scores, truths)).value())
    for name in ("auc", "average_precision", "log_loss", "brier", "recall_1"):
        assert found.values[name] == pytest.approx(real[name].value, abs=0.025), name


def test_a_changed_meaning_of_the_scores_is_not_seen() -> None:
    scores, truths = chances(50_000, 1, slope=0.2)
    real = measures(BASELINE, counted(BASELINE, (scores, truths)).value())["auc"].value
    found = estimate(scores)
    assert found.values["auc"] == pytest.approx(found.reference["auc"], abs=0.01)
    assert real < found.values["auc"] - 0.1


def test_the_reference_is_near_what_its_labels_say() -> None:
    known = measures(BASELINE, BASELINE.outcomes)  # type: ignore[arg-type]
    for name, value in estimate(np.array([0.5])).reference.items():
        assert value == pytest.approx(known[name].value, abs=0.02), name


def test_without_outcomes_or_scores_nothing_is_estimated() -> None:
    assert estimated(a_baseline(), a_baseline().score.histogram) is None
    assert estimated(BASELINE, Histogram(BASELINE.score.bins)) is None


def drift_report(baseline: Baseline, rows: int) -> DriftReport:
    counts = WindowCounts(baseline)
    columns = reference_columns(baseline.schema, rows, seed=5)
    counts.add_columns(
        [columns[feature.name] for feature in baseline.schema.monitored], chances(rows, 6)[0], [None] * rows
    )
    return report(
        baseline, counts, window_start=NOON_MS, window_end=NOON_MS + 1, rows=rows, merged_windows=0, partitions={}
    )


def test_the_drift_report_has_the_estimate_where_the_baseline_has_outcomes_and_rows_are_enough() -> None:
    found = drift_report(BASELINE, 1_000).estimated
    assert found is not None
    assert found.values["auc"] == pytest.approx(found.reference["auc"], abs=0.03)
    assert drift_report(BASELINE, 20).estimated is None
    assert drift_report(a_baseline(), 1_000).estimated is None


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=60), st.booleans())
def test_chances_rise_with_the_score_and_are_never_certain(counts: list[tuple[int, int]], probable: bool) -> None:
    negatives, positives = (np.array(side, dtype=float) for side in zip(*counts, strict=True))
    if not (negatives.sum() and positives.sum()):
        return
    scores = np.linspace(0.01, 0.99, len(counts)) if probable else None
    found = rising_chances(negatives, positives, scores)
    assert (np.diff(found) >= -1e-9).all()
    assert ((found > 0) & (found < 1)).all()
