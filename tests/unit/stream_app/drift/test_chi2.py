"""Chi-square against scipy's contingency table, and what is pooled."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from contracts.baseline import Reference
from contracts.binning import Levels
from stream_app.drift.chi2 import ChiSquare
from stream_app.drift.level_shift import LevelShift
from stream_app.drift.panel import Panel, PanelCounts
from tests.drift import a_reference, measure, size_under_the_null


def of_counts(reference: list[int], window: list[int], levels: Levels | None = None) -> tuple[float, float]:
    """X2 and p for counts of levels, the last two of OTHER and UNSEEN."""
    levels = levels or Levels(tuple(f"level {i}" for i in range(len(reference) - 2)))
    panel = Panel("categorical", [Reference(levels, tuple(reference))])
    measured = ChiSquare(panel).measure(PanelCounts(panel, [Reference(levels, tuple(window)).histogram]))
    assert measured.p is not None
    return float(measured.value[0]), float(measured.p[0])


def scipy_says(*cells: tuple[int, int]) -> tuple[float, float]:
    found = stats.chi2_contingency(np.array(cells).T, correction=False)
    return float(found.statistic), float(found.pvalue)


def test_it_is_the_chi_square_of_the_two_row_table() -> None:
    for window in ([50, 30, 20, 10, 0], [10, 30, 60, 12, 0], [0, 0, 0, 112, 0]):
        expected = scipy_says(*zip([500, 300, 200, 100], window[:4], strict=True))
        assert of_counts([500, 300, 200, 100, 0], window) == pytest.approx(expected, rel=1e-9)


def test_levels_that_expect_fewer_than_five_rows_share_a_cell_with_the_rest() -> None:
    reference, window = [500, 300, 150, 40, 7, 3, 0], [50, 25, 17, 3, 2, 1, 2]  # 43 rows, a tenth of them expected
    expected = scipy_says((500, 50), (300, 25), (150, 17), (50, 8))
    assert of_counts(reference, window) == pytest.approx(expected, rel=1e-9)


def test_a_rest_that_expects_fewer_than_five_rows_joins_the_rarest_level() -> None:
    expected = scipy_says((500, 50), (500, 50))
    assert of_counts([500, 480, 20, 0], [50, 40, 3, 7]) == pytest.approx(expected, rel=1e-9)


def test_levels_that_may_have_been_named_by_luck_share_a_cell_with_those_that_were_not() -> None:
    """c is the rarest that was named, with 10 rows; below 10 + 3 sqrt(10) = 19.5 a level may be named by luck."""
    reference, window = (500, 20, 15, 10, 9, 0), (505, 19, 13, 4, 13, 0)
    named, rest = ("a", "b", "bb", "c"), ("d",)
    by_luck = scipy_says((500, 505), (20, 19), (34, 30))
    assert of_counts(list(reference), list(window), Levels(named, rest=rest)) == pytest.approx(by_luck, rel=1e-9)
    every = scipy_says(*zip(reference[:4], window[:4], strict=True), (9, 13))
    assert of_counts([*reference], [*window], Levels(named)) == pytest.approx(every, rel=1e-9)


def test_one_cell_alone_says_nothing() -> None:
    assert of_counts([1_000, 0, 0], [60, 0, 40]) == (0.0, 1.0)


def test_a_window_larger_than_the_reference_is_pooled_by_the_reference() -> None:
    expected = scipy_says((50, 5_000), (44, 4_400), (6, 600))
    assert of_counts([50, 44, 4, 2, 0], [5_000, 4_400, 300, 100, 200]) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("rows", [300, 3_000])
@pytest.mark.parametrize("levels", [4, 60, 500])
def test_the_test_keeps_its_level_however_many_levels_there_are(levels: int, rows: int) -> None:
    rng = np.random.default_rng(levels)
    names = np.array([f"level {i}" for i in range(levels)])
    windows = [rng.choice(names, rows).tolist() for _ in range(400 if rows == 300 else 150)]
    size = size_under_the_null(ChiSquare, "categorical", rng.choice(names, 50_000).tolist(), windows, 0.05)
    assert size < 0.1  # with a cell of its own OTHER of 500 levels alarms in most windows of 3,000


@pytest.mark.parametrize("rows", [1_000, 20_000])
@pytest.mark.parametrize("levels", [4, 60, 500])
def test_a_small_reference_does_not_make_large_windows_alarm(levels: int, rows: int) -> None:
    rng = np.random.default_rng(levels)
    names, shares = np.array([f"level {i}" for i in range(levels)]), 1 / np.arange(1, levels + 1)
    shares /= shares.sum()
    references = [a_reference(rng.choice(names, 1_000, p=shares).tolist()) for _ in range(150)]
    windows = [rng.choice(names, rows, p=shares).tolist() for _ in references]
    p = measure(ChiSquare, "categorical", references, windows).p
    assert p is not None
    assert (p < 0.05).mean() < 0.11  # most of them where the reference alone says what is pooled


def test_level_shift_is_the_largest_change_of_a_share() -> None:
    reference = ["a"] * 60 + ["b"] * 40
    prepared = Reference.of(Reference.empty(Levels.fit(reference)).histogram)
    assert measure(LevelShift, "categorical", [prepared], [["a", "c"]]).value[0] == 0  # an empty reference
    full = Reference(Levels(("a", "b")), (60, 40, 0, 0))
    assert measure(LevelShift, "categorical", [full], [["a"] * 50 + ["b"] * 20 + ["c"] * 30]).value[0] == 0.3
