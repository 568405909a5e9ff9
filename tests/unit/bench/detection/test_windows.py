"""Counts drawn at once are distributed like rows that are drawn and counted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.detection.features import FEATURES, SCORE, THRESHOLD, columns
from bench.detection.power import Trial
from bench.detection.windows import counted

WINDOWS, ROWS = 250, 500


@pytest.fixture(scope="module")
def both(small_trial: Trial) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    """The statistics of quiet windows, drawn in the two ways."""
    rng = np.random.default_rng(8)
    ways: tuple[list[dict[str, float]], list[dict[str, float]]] = ([], [])
    for _ in range(WINDOWS):
        at_once = small_trial.windows.quiet(rng, ROWS)
        by_rows = counted(small_trial.reference.baseline, columns(rng, ROWS), SCORE.column(rng, ROWS))
        for window, found in zip((at_once, by_rows), ways, strict=True):
            verdicts = small_trial.windows.report(window).features
            found.append({f"{v.feature} {s.name}": s.value for v in verdicts for s in v.statistics})
    return ways


def test_every_statistic_has_one_distribution_in_both_ways(
    both: tuple[list[dict[str, float]], list[dict[str, float]]],
) -> None:
    at_once, by_rows = both
    assert at_once[0].keys() == by_rows[0].keys()
    p = {
        name: stats.ks_2samp([w[name] for w in at_once], [w[name] for w in by_rows], method="asymp").pvalue
        for name in at_once[0]
    }
    assert len(p) > 80
    assert min(p.values()) > 0.001 / len(p), min(p, key=lambda name: p[name])


def test_rows_and_missing_values_add_up(small_trial: Trial) -> None:
    window = small_trial.windows.quiet(np.random.default_rng(1), 777)
    assert window.rows == window.decided == window.score.known == 777
    assert [histogram.rows for histogram in window.features] == [777] * len(FEATURES)


def test_the_share_of_positives_is_that_of_scores_above_the_threshold(small_trial: Trial) -> None:
    windows = [small_trial.windows.quiet(np.random.default_rng(i), 1_000) for i in range(50)]
    true = 1 - float(SCORE.below(np.array([THRESHOLD]))[0])
    assert sum(window.positives for window in windows) / 50_000 == pytest.approx(true, abs=0.006)


def test_a_drifted_column_takes_the_place_of_its_feature_only(small_trial: Trial) -> None:
    column = np.full(300, 1e9)
    window = small_trial.windows.quiet(np.random.default_rng(2), 300, {"miles": column})
    found = small_trial.windows.report(window)
    assert found.alarms[0] == "miles"
    verdict = found.verdict("miles")
    assert verdict is not None
    assert verdict.out_of_range == 300
