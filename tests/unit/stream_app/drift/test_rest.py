"""The rest: a reference without some of its rows, and how it sees them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.baseline import Reference
from contracts.binning import Bins, Levels
from stream_app.drift.panel import Panel, PanelCounts
from stream_app.drift.rates import OutOfRange, Unseen
from stream_app.drift.rest import rest_of, seen_by
from tests.drift import a_reference, counted


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(1, 299))
def test_the_rest_and_the_part_make_up_the_whole(seed: int, cut: int) -> None:
    values = np.random.default_rng(seed).normal(size=300).round(1)
    values[::50] = np.nan
    whole = a_reference(values, draws=500)
    part = counted(whole.bins, values[:cut])
    rest = rest_of(whole, part)
    assert (np.array(rest.counts) + part.counts == np.array(whole.counts)).all()
    assert rest.missing + part.missing == whole.missing


def test_what_only_the_part_had_is_out_of_the_rests_range() -> None:
    values = np.concatenate([np.linspace(0, 1, 900), np.linspace(5, 6, 100)])
    whole = a_reference(values, draws=500)
    part = counted(whole.bins, values[900:])
    rest = rest_of(whole, part)
    assert isinstance(rest.bins, Bins)
    assert 0 <= rest.bins.lowest < rest.bins.highest <= 1
    panel = Panel("numeric", [rest])
    assert OutOfRange(panel).measure(PanelCounts(panel, [seen_by(rest, part)])).value.tolist() == [1.0]


def test_a_gap_inside_the_range_is_not_out_of_range() -> None:
    values = np.concatenate([np.linspace(0, 1, 450), np.linspace(5, 6, 100), np.linspace(9, 10, 450)])
    whole = a_reference(values, draws=500)
    part = counted(whole.bins, values[450:550])
    panel = Panel("numeric", [rest_of(whole, part)])
    assert OutOfRange(panel).measure(PanelCounts(panel, [part])).value.tolist() == [0.0]


def test_a_level_that_only_the_part_had_is_unseen_to_the_rest() -> None:
    levels = Levels(("a", "b"))
    whole, part = Reference(levels, (90, 10, 0, 0), missing=3), Reference(levels, (10, 10, 0, 0), missing=1).histogram
    rest = rest_of(whole, part)
    seen = seen_by(rest, part)
    assert (rest.counts, rest.missing) == ((80, 0, 0, 0), 2)
    assert (seen.counts.tolist(), seen.missing, seen.rows) == ([10, 0, 0, 10], 1, 21)
    panel = Panel("categorical", [rest])
    assert Unseen(panel).measure(PanelCounts(panel, [seen])).value.tolist() == [0.5]


def test_a_rest_without_any_value_has_the_wholes_range() -> None:
    whole = a_reference(np.arange(50.0), draws=500)
    rest = rest_of(whole, counted(whole.bins, np.arange(50.0)))
    assert rest.bins == whole.bins
    assert sum(rest.counts) == 0
