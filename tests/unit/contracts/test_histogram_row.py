"""Few rows are counted into all histograms at once as they are counted into each by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.binning import Binning, Bins, Levels
from contracts.histogram import Histogram
from contracts.histogram_row import HistogramRow, RowLayout, values_of

BINNINGS: tuple[Binning, ...] = (
    Bins((-1.0, 0.0, 1.5, 7.0), -1.0, 7.0),
    Levels(("a", "b"), ("rare",)),
    Bins((0.0,), 0.0, 0.0),
    Levels(("false", "true")),
)
NUMBERS = st.none() | st.floats() | st.sampled_from([-1.0, -0.0, 0.0, 1.5, 7.0])
LEVELS = st.none() | st.sampled_from(["a", "b", "rare", "never seen", ""])
ROWS = st.lists(st.tuples(NUMBERS, LEVELS, NUMBERS, st.none() | st.booleans()), min_size=1, max_size=12)


def one_by_one(histograms: Sequence[Histogram], columns: Sequence[Sequence[Any]]) -> None:
    for histogram, column in zip(histograms, columns, strict=True):
        histogram.add(column)


def told(histograms: Sequence[Histogram]) -> list[tuple[Any, ...]]:
    """With the signs of zeros."""
    return [
        (h.counts.tolist(), h.missing, *(None if x is None else math.copysign(1, x) * abs(x) for x in extremes(h)))
        for h in histograms
    ]


def extremes(histogram: Histogram) -> tuple[float | None, float | None]:
    return histogram.minimum, histogram.maximum


@given(batches=st.lists(ROWS, min_size=1, max_size=4), width=st.sampled_from([1, 8]))
def test_rows_counted_together_are_counted_as_each_column_by_itself(
    batches: list[list[tuple[Any, ...]]], width: int
) -> None:
    row, apart = HistogramRow(RowLayout(BINNINGS)), [Histogram(bins) for bins in BINNINGS]
    for rows in batches:
        columns = list(zip(*rows, strict=True))
        if not row.add(columns):
            one_by_one(row.histograms, columns)
        one_by_one(apart, columns)
    assert told(row.histograms) == told(apart)
    assert values_of(row.histograms, width) == [histogram.value(width=width) for histogram in apart]


def test_arrays_are_taken_as_lists_are() -> None:
    row, apart = HistogramRow(RowLayout(BINNINGS)), [Histogram(bins) for bins in BINNINGS]
    columns = [np.array([0.5, np.nan]), ("a", None), np.array([np.nan, np.nan]), [True, None]]
    assert row.add(columns)
    one_by_one(apart, columns)
    assert told(row.histograms) == told(apart)


@pytest.mark.parametrize("infinite", [math.inf, -math.inf])
def test_an_infinite_number_is_left_to_each_histogram_and_nothing_is_counted(infinite: float) -> None:
    row = HistogramRow(RowLayout(BINNINGS))
    assert not row.add([[1.0, infinite], ["a", None], [None, None], [True, None]])
    assert told(row.histograms) == told([Histogram(bins) for bins in BINNINGS])


def test_a_row_without_a_number_is_counted() -> None:
    row = HistogramRow(RowLayout([Levels(("a",))]))
    assert row.add([["a", "a", None, "z"]])
    assert (row.histograms[0].counts.tolist(), row.histograms[0].missing) == ([2, 0, 1], 1)
