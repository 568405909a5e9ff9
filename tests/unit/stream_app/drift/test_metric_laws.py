"""The laws that every member of METRICS keeps; a new member is tested by being listed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.baseline import Reference
from contracts.binning import Levels
from contracts.histogram import Histogram
from stream_app.drift.ks import Ks
from stream_app.drift.metric import Measured, Metric
from stream_app.drift.metrics import METRICS
from stream_app.drift.panel import Panel, PanelCounts, PanelKind
from stream_app.drift.psi import Psi
from stream_app.drift.rates import OutOfRange
from tests.drift import a_reference, counted, measure

ROWS = 400
MEMBERS = [pytest.param(metric, kind, id=f"{metric.name}-{kind}") for metric in METRICS for kind in metric.kinds]
every_metric = pytest.mark.parametrize(("metric", "kind"), MEMBERS)
few = settings(max_examples=20, deadline=None)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error", RuntimeWarning)  # numpy's; another test's open file is not of this one
        yield


def rows_of(kind: PanelKind, seed: int) -> list[Any]:
    """Raw values with ties and missing ones; numbers are a mixture of a normal, a Poisson and zeros."""
    rng = np.random.default_rng(seed)
    if kind == "decision":
        return (rng.random(ROWS) < 0.3).tolist()
    if kind == "categorical":
        return rng.choice(np.array(["a", "b", "c", "d", None], dtype=object), ROWS).tolist()
    source = rng.integers(0, 4, ROWS)
    numbers = np.choose(source, [rng.normal(50, 10, ROWS), rng.poisson(3, ROWS), np.zeros(ROWS), np.full(ROWS, np.nan)])
    return [None if np.isnan(number) else number for number in numbers.round(3).tolist()]


def reference_of(kind: PanelKind, rows: list[Any]) -> Reference:
    if kind == "decision":
        return Reference.of(counted(Levels(("false", "true")), rows))
    return a_reference(np.array(rows, dtype=np.float64) if kind == "numeric" else rows, draws=500)


def assert_no_difference(measured: Measured) -> None:
    assert (measured.size == 0).all()
    assert measured.p is None or (measured.p == 1).all()


@every_metric
@few
@given(seed=seeds)
def test_identical_counts_do_not_differ(metric: type[Metric], kind: PanelKind, seed: int) -> None:
    rows = rows_of(kind, seed)
    assert_no_difference(measure(metric, kind, [reference_of(kind, rows)], [rows]))


@every_metric
@few
@given(seed=seeds, cuts=st.lists(st.integers(0, ROWS), max_size=6))
def test_neither_order_nor_partials_matter(metric: type[Metric], kind: PanelKind, seed: int, cuts: list[int]) -> None:
    reference, rows = reference_of(kind, rows_of(kind, seed)), rows_of(kind, seed + 1)
    shuffled = np.array(rows, dtype=object)[np.random.default_rng(seed).permutation(ROWS)]
    merged = Histogram(reference.bins)
    for part in np.split(shuffled, sorted(cuts)):
        merged.merge(counted(reference.bins, part.tolist()))
    panel = Panel(kind, [reference])
    in_parts = metric(panel).measure(PanelCounts(panel, [merged]))
    at_once = measure(metric, kind, [reference], [rows])
    for one, other in zip(in_parts, at_once, strict=True):
        np.testing.assert_array_equal(one, other)


@every_metric
@few
@given(seed=seeds, steps=st.lists(st.integers(0, ROWS), min_size=2, max_size=6), pick=st.integers(0, 2))
def test_the_size_does_not_fall_while_more_rows_move_to_one_value(
    metric: type[Metric], kind: PanelKind, seed: int, steps: list[int], pick: int
) -> None:
    rows = [row for row in rows_of(kind, seed) if row is not None]
    reference = reference_of(kind, rows)
    values: dict[PanelKind, list[Any]] = {
        "numeric": [rows[0], 1e12, 51.23],
        "categorical": ["a", "never seen", "d"],
        "decision": [True, True, True],
    }
    target = None if metric.name == "missing" else values[kind][pick]
    order = np.random.default_rng(seed).permutation(len(rows))
    sizes = []
    for moved in sorted({0, *(min(step, len(rows)) for step in steps)}):
        window = list(rows)
        for i in order[:moved]:
            window[i] = target
        sizes.append(float(measure(metric, kind, [reference], [window]).size[0]))
    assert sizes[0] == 0
    assert (np.diff(sizes) >= -1e-12).all()


@pytest.mark.parametrize("metric", [Ks, OutOfRange, Psi])
@few
@given(seed=seeds, shifts=st.lists(st.floats(0, 80), min_size=2, max_size=6))
def test_the_size_does_not_fall_while_a_shift_of_all_rows_grows(
    metric: type[Metric], seed: int, shifts: list[float]
) -> None:
    if metric is Psi:  # of several modes one may be shifted onto another, and PSI falls
        values = np.random.default_rng(seed).normal(50, 10, ROWS)
    else:
        values = np.array(rows_of("numeric", seed), dtype=np.float64)
    reference = a_reference(values, draws=500)
    sizes = [float(measure(metric, "numeric", [reference], [values + by]).size[0]) for by in sorted(shifts)]
    # A group of PSI may win or lose single rows by chance while the shift is small
    assert (np.diff(sizes) >= (-0.02 if metric is Psi else -1e-12)).all()


@every_metric
@few
@given(seed=seeds)
def test_p_is_a_probability_and_size_is_not_negative(metric: type[Metric], kind: PanelKind, seed: int) -> None:
    measured = measure(metric, kind, [reference_of(kind, rows_of(kind, seed))], [rows_of(kind, seed + 7)])
    for array in measured:
        assert array is None or np.isfinite(array).all()
    assert (measured.size >= 0).all()
    assert measured.p is None or ((measured.p >= 0) & (measured.p <= 1)).all()


@every_metric
def test_each_feature_of_a_panel_is_measured_as_if_it_were_alone(metric: type[Metric], kind: PanelKind) -> None:
    references = [reference_of(kind, rows_of(kind, seed)) for seed in range(5)]
    windows = [rows_of(kind, seed + 100)[: 80 * seed] for seed in range(5)]
    together = measure(metric, kind, references, windows)
    for i, (reference, window) in enumerate(zip(references, windows, strict=True)):
        for whole, single in zip(together, measure(metric, kind, [reference], [window]), strict=True):
            assert (whole is None and single is None) or whole[i] == pytest.approx(single[0], rel=1e-9, abs=1e-12)


@every_metric
def test_without_values_on_either_side_there_is_no_difference(metric: type[Metric], kind: PanelKind) -> None:
    full = reference_of(kind, rows_of(kind, 1))
    empty = Reference.empty(full.bins)
    assert_no_difference(measure(metric, kind, [full, empty, empty], [[], rows_of(kind, 2), []]))


@pytest.mark.parametrize(("metric", "kind"), [p for p in MEMBERS if p.values[0].name != "missing"])
def test_a_window_of_missing_values_differs_in_nothing_but_the_missing_rate(
    metric: type[Metric], kind: PanelKind
) -> None:
    assert_no_difference(measure(metric, kind, [reference_of(kind, rows_of(kind, 1))], [[None] * 50]))


@every_metric
def test_a_constant_reference_is_measured_without_warnings(metric: type[Metric], kind: PanelKind) -> None:
    constant: dict[PanelKind, Any] = {"numeric": [7.0] * 50, "categorical": ["a"] * 50, "decision": [False] * 50}
    other: dict[PanelKind, Any] = {"numeric": [8.0] * 50, "categorical": ["b"] * 50, "decision": [True] * 50}
    reference = reference_of(kind, constant[kind])
    assert_no_difference(measure(metric, kind, [reference], [constant[kind]]))
    for array in measure(metric, kind, [reference], [other[kind]]):
        assert array is None or np.isfinite(array).all()
