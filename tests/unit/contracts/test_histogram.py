"""Histogram and WindowCounts: merging the parts equals counting the whole, exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.binning import Bins, Levels
from contracts.errors import InvalidMessage
from contracts.events import encode_event, event_decoder
from contracts.histogram import Counts, Histogram
from contracts.partials import PartialAggregate, decode_partial, encode_partial
from contracts.window import WindowCounts
from tests.builders import a_baseline, an_event

BINS = Bins.fit(np.random.default_rng(0).normal(0, 1, 1_000))
LEVELS = Levels.fit(["a", "a", "b"], top=1)
NUMBERS = st.lists(st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True)), max_size=50)
WORDS = st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "never"])), max_size=50)


def of(bins: Bins | Levels, values: list) -> Histogram:
    histogram = Histogram(bins)
    histogram.add(values)
    return histogram


def state(histogram: Histogram) -> tuple:
    return histogram.counts.tolist(), histogram.missing, histogram.minimum, histogram.maximum


@given(st.lists(NUMBERS, max_size=5))
def test_merged_parts_of_a_numeric_feature_equal_the_whole(parts: list[list[float | None]]) -> None:
    merged = Histogram(BINS)
    for part in parts:
        merged.merge(of(BINS, part))
    assert state(merged) == state(of(BINS, [value for part in parts for value in part]))


@given(st.lists(WORDS, max_size=5))
def test_merged_parts_of_a_categorical_feature_equal_the_whole(parts: list[list[str | None]]) -> None:
    merged = Histogram(LEVELS)
    for part in parts:
        merged.merge(of(LEVELS, part))
    assert state(merged) == state(of(LEVELS, [value for part in parts for value in part]))


@given(NUMBERS)
def test_every_value_is_counted_once_or_missing(values: list[float | None]) -> None:
    histogram = of(BINS, values)
    missing = sum(value is None or math.isnan(value) for value in values)
    assert (histogram.rows, histogram.missing) == (len(values), missing)


@pytest.mark.parametrize("values", [[0.0, -0.0], [-0.0, 0.0], [-0.0]])
def test_the_range_knows_one_zero_so_that_it_does_not_depend_on_the_order_of_events(values: list[float]) -> None:
    histogram = of(BINS, values)
    assert (str(histogram.minimum), str(histogram.maximum)) == ("0.0", "0.0")


@given(NUMBERS)
def test_what_travels_comes_back_as_it_was(values: list[float | None]) -> None:
    histogram = of(BINS, values)
    assert state(Histogram.of(BINS, histogram.value())) == state(histogram)


def test_out_of_range_counts_what_lies_beyond_the_reference() -> None:
    assert of(BINS, [0.0, 99.0, -99.0, math.inf, None]).out_of_range == 3


def test_unseen_counts_new_levels_only() -> None:
    assert of(LEVELS, ["a", "b", "never", None]).unseen == 1


def test_histograms_over_different_bins_are_never_added() -> None:
    with pytest.raises(InvalidMessage, match="different bins"):
        of(BINS, [1.0]).merge(of(Bins((0.0,), 0.0, 1.0), [1.0]))


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x01\x00\x00\x00"])
def test_counts_that_do_not_fit_the_bins_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidMessage, match="another baseline"):
        Histogram.of(BINS, Counts(data))


def test_events_and_columns_are_counted_alike_and_travel_as_a_partial() -> None:
    baseline = a_baseline(rows=300)
    decode = event_decoder(baseline.schema).decode
    rows = [
        {"distance": 1.0, "seats": None, "carrier": "a"},
        {"distance": 2.5, "carrier": "never"},
        {"distance": 3, "seats": 4, "carrier": None, "unknown to the schema": "ignored"},
    ]
    from_events, from_columns = WindowCounts(baseline), WindowCounts(baseline)
    from_events.add_events([decode(encode_event(an_event(features=row, decision=True))) for row in rows[:2]])
    from_events.add_events([decode(encode_event(an_event(features=rows[2], decision=True, role="shadow")))])
    columns = [[1.0, 2.5, 3.0], [None, None, 4.0], ["a", "never", None]]
    from_columns.add_columns(columns, [0.25] * 3, [True, True, True], shadow_rows=1)
    partial = from_events.partial(window_start=0, window_end=10, partition=1, offset=2)
    assert partial == from_columns.partial(window_start=0, window_end=10, partition=1, offset=2)
    assert (partial.rows, partial.positives, partial.decided, partial.shadow_rows) == (3, 3, 3, 1)
    back = WindowCounts.of(partial, baseline)
    back.merge(from_columns)
    assert [h.rows for h in (back.score, *back.features)] == [6, 6, 6, 6]
    assert back.shadow_rows == 2


def test_counts_of_another_baseline_are_refused() -> None:
    partial = WindowCounts(a_baseline(rows=300)).partial(window_start=0, window_end=1, partition=0, offset=0)
    with pytest.raises(InvalidMessage, match="counted with baseline"):
        WindowCounts.of(partial, a_baseline(rows=301))


@pytest.mark.parametrize(
    ("rows", "width"), [(0, 1), (255, 1), (256, 2), (65_535, 2), (65_536, 4), ((1 << 32) - 1, 4), ((1 << 32) + 7, 8)]
)
def test_a_window_travels_as_it_is_with_as_few_bytes_a_bin_as_its_rows_need(rows: int, width: int) -> None:
    baseline = a_baseline()
    counts = WindowCounts(baseline)
    for histogram in (counts.score, *counts.features):
        histogram.counts[1] = rows
    counts.rows = rows
    partial = decode_partial(encode_partial(counts.partial(window_start=0, window_end=1, partition=0, offset=rows)))
    assert isinstance(partial, PartialAggregate)
    assert len(partial.score.counts) == width * baseline.score.bins.size
    back = WindowCounts.of(partial, baseline)
    assert [histogram.known for histogram in (back.score, *back.features)] == [rows] * (1 + len(back.features))
