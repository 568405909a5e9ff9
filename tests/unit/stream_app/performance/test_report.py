"""A window's performance report: what it compares, what it says, and how seldom it is wrong when all is well."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from contracts.baseline import Baseline
from contracts.outcomes import Costs
from contracts.performance import PerformanceReport, decode_performance, encode_performance
from stream_app.performance.report import report
from tests.builders import NOON_MS, a_baseline
from tests.performance import Rows, a_judged_baseline, chances, counted
from training.baselines.outcomes import with_outcomes, with_residuals

HOUR_MS = 3_600_000
BASELINE = a_judged_baseline(*chances(20_000, 0))


def reported(rows: Rows, baseline: Baseline = BASELINE, **changed: Any) -> PerformanceReport:
    fields: dict[str, Any] = {
        "window_start": NOON_MS,
        "window_end": NOON_MS + HOUR_MS,
        "revision": 3,
        "predictions": len(rows[0]),
    }
    return report(baseline, counted(baseline, rows), **(fields | changed))


def names(report: PerformanceReport) -> set[str]:
    return {metric.name for metric in report.metrics if metric.p_value is not None}


def test_a_window_like_the_reference_is_well_and_says_so_in_one_sentence() -> None:
    found = reported(chances(1_000, 1))
    assert (found.status, found.degraded) == ("well", ())
    assert found.summary.startswith("100 % of 1,000 predictions labelled: no worse than the reference: AUC .7")
    assert found.id == "flights/1/2026-01-01T12:00:00+00:00/3"
    assert (found.labelled, found.predictions, found.coverage, found.baseline) == (1_000, 1_000, 1.0, BASELINE.digest)
    assert decode_performance(encode_performance(found)) == found


def test_scores_that_rank_worse_are_degraded_and_the_sentence_has_the_intervals() -> None:
    found = reported(chances(1_004, 1, slope=0.3))
    assert found.status == "degraded"
    assert {"auc", "average_precision", "calibration_error"} <= set(found.degraded)
    auc = found.metric("auc")
    assert auc is not None
    assert auc.low < auc.value < auc.high < auc.reference_low < auc.reference < auc.reference_high  # type: ignore[operator]
    shown = [f"{value:.3f}"[1:] for value in (auc.reference, auc.reference_low, auc.reference_high)]  # type: ignore[str-bytes-safe]
    assert f"AUC fell from {shown[0]} [{shown[1]}-{shown[2]}] to " in found.summary


def test_probabilities_that_are_off_are_degraded_though_they_rank_as_well() -> None:
    found = reported(chances(2_000, 1, shift=0.7))
    assert "calibration_error" in found.degraded
    assert "auc" not in found.degraded


def test_only_a_change_for_the_worse_is_degraded() -> None:
    assert reported(chances(5_000, 1, slope=1.6)).metric("auc").degraded is False  # type: ignore[union-attr]


def test_a_change_too_small_to_matter_is_not_degraded_however_sure() -> None:
    rows = chances(400_000, 0)
    found = reported(chances(400_000, 1, slope=0.97), with_outcomes(a_judged_baseline(*rows), *rows))
    auc = found.metric("auc")
    assert auc is not None
    assert auc.p_value is not None
    assert (found.status, auc.p_value < 0.01) == ("well", True)


def test_before_labels_are_complete_only_ranking_is_compared_and_the_report_says_why() -> None:
    rows = chances(622, 1, shift=1.0)
    early = reported(rows, predictions=1_004)
    assert names(early) == {"auc"}
    assert early.status == "well"
    assert early.summary.startswith("62 % of 1,004 predictions labelled: ")
    assert "labels still come" in early.notes[0]
    final = reported(rows, predictions=1_004, final=True)
    assert names(final) == {"auc", "average_precision", "log_loss", "calibration_error"}
    assert (final.status, final.notes) == ("degraded", ())


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (chances(40, 1), "40 predictions labelled: too few labels to compare, at least 200 are needed"),
        ((np.full(500, 0.2), np.zeros(500)), "every truth is 0: both are needed to compare"),
        ((np.full(500, 0.2), np.ones(500)), "every truth is 1: both are needed to compare"),
        ((np.full(500, 0.2), np.arange(500) < 9), "only 9 of truth 1: at least 10 of each are needed to compare"),
    ],
)
def test_too_few_labels_or_one_truth_alone_are_insufficient(rows: Rows, why: str) -> None:
    found = reported(rows, final=True)
    assert (found.status, found.degraded, names(found)) == ("insufficient", (), set())
    assert why in found.summary


def test_without_outcomes_in_the_baseline_the_report_measures_and_names_the_fix() -> None:
    rows = chances(1_000, 1)
    found = reported(rows, a_baseline(scores=rows[0]))
    assert found.status == "insufficient"
    assert "the baseline was fitted without labels (training baseline --label-column)" in found.summary
    assert found.metric("auc").reference is None  # type: ignore[union-attr]


def test_the_cost_of_decisions_is_compared_where_costs_are_known() -> None:
    costs = Costs(false_positive=1.0, false_negative=8.0)
    baseline = msgspec.structs.replace(BASELINE, costs=costs)
    found = reported(chances(3_000, 1, slope=0.2, shift=0.5), baseline)
    assert "cost" in found.degraded


def test_a_regression_that_is_off_by_a_constant_is_degraded_by_its_bias() -> None:
    rng = np.random.default_rng(1)

    def rows(count: int, off: float, noise: float = 3.0) -> Rows:
        truth = rng.normal(100, 10, count)
        return truth + rng.normal(off, noise, count), truth

    reference = rows(20_000, 0.0)
    baseline = with_residuals(a_baseline(scores=reference[0], threshold=None), *reference)
    assert reported(rows(1_000, 0.0), baseline).status == "well"
    assert "bias" in reported(rows(1_000, 1.5), baseline).degraded
    assert {"mae", "rmse"} <= set(reported(rows(1_000, 0.0, 4.0), baseline).degraded)


@pytest.mark.parametrize(("centre", "rows"), [(-1.6, 1_000), (-5.0, 1_000), (-1.6, 300)])
def test_a_window_like_the_reference_hardly_ever_alarms(centre: float, rows: int) -> None:
    """400 windows; at the .5 % aimed at more than 6 alarms come in one run of two hundred."""
    scores, truths = chances(20_000, 0, centre=centre)
    baseline = with_outcomes(a_judged_baseline(scores, truths), scores, truths)
    alarms = sum(reported(chances(rows, seed, centre=centre), baseline).status == "degraded" for seed in range(1, 401))
    assert alarms <= 6


def test_auc_that_falls_by_six_points_is_mostly_found_in_one_window_of_a_thousand() -> None:
    found = [reported(chances(1_000, seed, slope=0.65)) for seed in range(1, 41)]
    drop = np.mean([report.metric("auc").reference - report.metric("auc").value for report in found])  # type: ignore
    assert drop == pytest.approx(0.06, abs=0.02)
    assert sum(report.status == "degraded" for report in found) >= 28


def test_the_same_counts_give_the_same_report() -> None:
    rows = chances(1_000, 1)
    assert encode_performance(reported(rows)) == encode_performance(reported(rows))
