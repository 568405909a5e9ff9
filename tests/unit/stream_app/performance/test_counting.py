"""Counting labels: merging the parts equals counting the whole, and a row that is taken back was never there."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.baseline import Baseline
from contracts.errors import InvalidMessage
from contracts.outcomes import Outcomes, Residuals
from stream_app.performance.bins import residual_edges
from stream_app.performance.counting import UNDECIDED, OutcomeCounts
from tests.builders import a_baseline

BASELINE = a_baseline()


def a_regression() -> Baseline:
    values = np.random.default_rng(0).normal(100, 10, 5_000)
    edges = tuple(residual_edges(values).tolist())
    residuals = Residuals(edges, (0,) * (len(edges) + 1) ** 2)
    return msgspec.structs.replace(a_baseline(scores=values, threshold=None), residuals=residuals)


def rows(seed: int, count: int, *, regression: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    if regression:
        scores = rng.normal(100, 10, count)
        return scores, scores + rng.normal(0, 5, count)
    scores = rng.random(count)
    return scores, (rng.random(count) < scores).astype(float)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 300), min_size=1, max_size=5), st.booleans())
def test_counting_the_parts_and_merging_them_equals_counting_the_whole(sizes: list[int], regression: bool) -> None:
    baseline = a_regression() if regression else BASELINE
    whole, merged = OutcomeCounts(baseline), OutcomeCounts(baseline)
    for seed, size in enumerate(sizes):
        scores, truths = rows(seed, size, regression=regression)
        part = OutcomeCounts(baseline)
        part.add(scores, truths)
        merged.merge(part.value() if seed % 2 else part)
        whole.add(scores, truths)
    assert merged.value() == whole.value()
    assert whole.labelled == sum(sizes)
    assert OutcomeCounts.of(baseline, whole.value()).value() == whole.value()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 200), st.integers(0, 2**32 - 1))
def test_the_last_truth_of_a_row_counts_alone(replaced: int, seed: int) -> None:
    scores, truths = rows(seed, 200)
    corrected = np.concatenate([1 - truths[:replaced], truths[replaced:]])
    counts, expected = OutcomeCounts(BASELINE), OutcomeCounts(BASELINE)
    cells = counts.add(scores, truths)
    counts.subtract_cells(cells[:replaced])
    counts.add(scores[:replaced], corrected[:replaced])
    expected.add(scores, corrected)
    assert counts.value() == expected.value()


def test_a_row_is_counted_in_its_scores_bin_by_truth_and_decision() -> None:
    counts = OutcomeCounts(BASELINE)
    counts.add([0.2, 0.9, 0.9], [0, 1, 0])
    value = counts.value()
    assert isinstance(value, Outcomes)
    high = int(BASELINE.score.bins.edge_array.searchsorted(0.9, side="right"))  # type: ignore[union-attr]
    assert (sum(value.negatives), sum(value.positives)) == (2, 1)
    assert (value.negatives[high], value.positives[high]) == (1, 1)
    assert value.decided == (1, 1)


def test_the_decision_that_was_made_counts_and_an_unknown_one_is_the_thresholds() -> None:
    counts = OutcomeCounts(BASELINE)
    counts.add([0.9, 0.2, 0.9, 0.2], [1, 1, 1, 1], [0, 1, UNDECIDED, UNDECIDED])
    assert counts.value().decided == (0, 2)  # type: ignore[union-attr]


def test_without_a_threshold_no_decision_is_counted() -> None:
    counts = OutcomeCounts(a_baseline(threshold=None))
    counts.add([0.9], [1], [True])
    assert counts.value().decided is None  # type: ignore[union-attr]


def test_every_cell_fits_two_bytes() -> None:
    for baseline, regression in ((BASELINE, False), (a_regression(), True)):
        counts = OutcomeCounts(baseline)
        scores, truths = rows(0, 1_000, regression=regression)
        cells = counts.add(np.append(scores, 1e300), np.append(truths, 1))
        assert 0 <= cells.min() <= cells.max() < 1 << 16


@pytest.mark.parametrize(("score", "truth"), [(0.5, 2.0), (0.5, np.nan), (np.nan, 1.0), (np.inf, 1.0)])
def test_a_row_without_a_score_or_a_truth_of_0_or_1_is_refused_and_can_be_told_before(
    score: float, truth: float
) -> None:
    counts = OutcomeCounts(BASELINE)
    assert counts.usable([0.5, score], [1.0, truth]).tolist() == [True, False]
    with pytest.raises(ValueError, match="row 1 cannot be counted"):
        counts.add([0.5, score], [1.0, truth])
    assert counts.labelled == 0


def test_counts_over_other_bins_are_not_added() -> None:
    counts = OutcomeCounts(BASELINE)
    for other in (Outcomes((1,), (1,)), OutcomeCounts(a_regression()), a_regression().residuals):
        with pytest.raises(InvalidMessage, match="different bins"):
            counts.merge(other)  # type: ignore[arg-type]
