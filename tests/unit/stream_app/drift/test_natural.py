"""What was learnt, at a window's close: a p-value only ever grows by it, and the F law is scipy's."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from scipy import stats

from contracts.baseline import Reference
from contracts.binning import Levels
from contracts.errors import InvalidBaseline
from contracts.variation import LearntNull
from stream_app.drift.decision import Measurement
from stream_app.drift.learning import learn
from stream_app.drift.metrics import METRICS
from stream_app.drift.natural import LEARNABLE, NaturalNulls, f_upper_tail
from stream_app.drift.panel import Panel, PanelCounts, PanelKind
from tests.drift import a_reference, counted

VARIES = LearntNull(True, 0.01, 0.5, 0.6, 60)


def measured(panel: Panel, window: PanelCounts) -> list[Measurement]:
    metrics = [metric(panel) for metric in METRICS if panel.kind in metric.kinds]
    return [Measurement(metric.name, metric.finding, metric.measure(window)) for metric in metrics]


def held(
    kind: PanelKind, references: list[Reference], windows: list[Any]
) -> dict[str, tuple[Measurement, Measurement]]:
    """By metric: what sampling alone says of one window of raw values per reference, and what is made of it."""
    panel = Panel(kind, references)
    window = PanelCounts(
        panel, [counted(reference.bins, part) for reference, part in zip(references, windows, strict=True)]
    )
    before = measured(panel, window)
    after = NaturalNulls(panel).apply(before, window)
    assert [one.metric for one in before] == [one.metric for one in after]
    return {one.metric: (one, other) for one, other in zip(before, after, strict=True)}


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    between=st.floats(0, 10),
    mean=st.floats(1e-6, 10),
    shape=st.floats(0.15, 5),
    windows=st.integers(20, 500),
)
def test_a_learnt_p_is_never_below_the_sampling_one(
    seed: int, between: float, mean: float, shape: float, windows: int
) -> None:
    rng = np.random.default_rng(seed)
    null = LearntNull(True, between, mean, shape, windows)
    reference = replace(a_reference(rng.normal(size=500), draws=500), natural=dict.fromkeys(LEARNABLE, null))
    values = rng.normal(rng.normal(), 1, 200)
    values[rng.random(200) < 0.1] = np.nan
    for before, after in held("numeric", [reference], [values]).values():
        assert before.measured.p is not None
        assert after.measured.p is not None
        assert (after.measured.p >= before.measured.p).all()
        assert (after.measured.p <= 1).all()
        assert after.learnt is not None
        assert (after.learnt | (after.measured.p == before.measured.p)).all()


def test_nothing_but_p_is_touched() -> None:
    reference = replace(a_reference(np.arange(500.0)), natural=dict.fromkeys(LEARNABLE, VARIES))
    for before, after in held("numeric", [reference], [np.arange(0, 400.0, 2)]).values():
        assert after.measured.value is before.measured.value
        assert after.measured.size is before.measured.size


def test_only_what_varies_is_held_against_it_and_says_so() -> None:
    steady = a_reference(np.arange(500.0))
    varying = replace(steady, natural={"ks": VARIES, "psi": replace(VARIES, varies=False)})
    found = held("numeric", [steady, varying], [np.arange(250.0)] * 2)
    before, after = found["ks"]
    assert after.learnt is not None
    assert after.learnt.tolist() == [False, True]
    assert before.measured.p is not None
    assert after.measured.p is not None
    assert after.measured.p[0] == before.measured.p[0] < after.measured.p[1]
    for name in ("psi", "missing"):
        assert found[name][1] is found[name][0]


def test_where_sampling_has_the_larger_p_it_is_the_null_that_was_used() -> None:
    reference = replace(a_reference(np.arange(500.0)), natural={"ks": LearntNull(True, 0.0, 1e-9, 2.5, 60)})
    before, after = held("numeric", [reference], [np.arange(0, 500.0, 5)])["ks"]
    assert after.learnt is not None
    assert not after.learnt.any()
    np.testing.assert_array_equal(after.measured.p, before.measured.p)


def test_the_p_of_a_rate_by_hand() -> None:
    """400 of 1,000 missing against 1,000 of 10,000: .3^2 / (1/1,000 + 1/10,000 + .01) / .5 = 16.2162."""
    levels = Levels(("a",))
    reference = replace(Reference(levels, (9_000, 0, 0), 1_000), natural={"missing": VARIES})
    panel = Panel("categorical", [reference])
    window = PanelCounts(panel, [Reference(levels, (600, 0, 0), 400).histogram])
    (found,) = [one for one in NaturalNulls(panel).apply(measured(panel, window), window) if one.metric == "missing"]
    assert found.measured.p is not None
    assert found.measured.p[0] == pytest.approx(stats.f.sf(16.2162, 1.2, 72), rel=1e-5)


def test_the_p_of_chi_square_is_that_of_its_mean_square() -> None:
    levels = Levels(("a", "b", "c"))
    reference = replace(Reference(levels, (500, 300, 200, 0, 0)), natural={"chi2": VARIES})
    panel = Panel("categorical", [reference])
    window = PanelCounts(panel, [Reference(levels, (30, 30, 40, 0, 0)).histogram])
    found = {one.metric: one for one in NaturalNulls(panel).apply(measured(panel, window), window)}["chi2"]
    x2, v = float(found.measured.value[0]), 1 / 100 + 1 / 1_000
    assert found.measured.p is not None
    assert found.measured.p[0] == pytest.approx(stats.f.sf(x2 * v / 2 / (v + 0.01) / 0.5, 1.2, 72), rel=1e-9)


@given(x=st.floats(1e-3, 1e6), shape=st.floats(0.15, 25), windows=st.integers(20, 1_000))
def test_the_upper_tail_is_that_of_f(x: float, shape: float, windows: int) -> None:
    ours = float(f_upper_tail(np.array([x]), shape, windows)[0])
    assert ours == pytest.approx(stats.f.sf(x, 2 * shape, 2 * shape * windows), rel=1e-6, abs=1e-290)


def test_an_empty_window_is_no_reason_to_alarm() -> None:
    reference = replace(a_reference(np.arange(500.0)), natural=dict.fromkeys(LEARNABLE, VARIES))
    for _, after in held("numeric", [reference], [np.array([])]).values():
        assert after.measured.p is not None
        assert after.measured.p.tolist() == [1.0]


def windows_with_effects(rng: np.random.Generator, windows: int, rows: int) -> list[Any]:
    return [rng.normal(rng.normal(0, 0.3), 1, rows) for _ in range(windows)]


def test_windows_that_vary_like_those_learnt_from_pass_at_the_stated_rate() -> None:
    """x windows of the same law against 60 learnt ones: p < .01 in about 1 % of them, by sampling in most."""
    rng = np.random.default_rng(4)
    early, small = {"ks": 0, "psi": 0}, {"ks": 0, "psi": 0}
    for _ in range(4):
        parts = windows_with_effects(rng, 60, 1_000)
        whole = a_reference(np.concatenate(parts))
        taught = replace(whole, natural=learn(whole, [counted(whole.bins, part) for part in parts]))
        found = held("numeric", [taught] * 250, windows_with_effects(rng, 250, 1_000))
        for name in early:
            before, after = found[name]
            assert before.measured.p is not None
            assert after.measured.p is not None
            early[name] += int((before.measured.p < 0.01).sum())
            small[name] += int((after.measured.p < 0.01).sum())
    assert min(early.values()) > 600, "of 1,000"
    assert max(small.values()) < 30, "of 1,000"


@pytest.mark.parametrize(
    "null",
    [
        {"varies": True, "between": 0.0, "mean": 0.0, "shape": 1.0, "windows": 60},
        {"varies": True, "between": 0.0, "mean": 1.0, "shape": 0.0, "windows": 60},
        {"varies": True, "between": 0.0, "mean": 1.0, "shape": 1.0, "windows": 0},
        {"varies": False, "between": float("nan"), "mean": 1.0, "shape": 1.0, "windows": 60},
        {"varies": False, "between": -1.0, "mean": 1.0, "shape": 1.0, "windows": 60},
    ],
)
def test_a_null_that_makes_no_sense_is_refused(null: dict[str, Any]) -> None:
    with pytest.raises(InvalidBaseline, match="learnt null"):
        LearntNull(**null)


def test_a_close_of_a_thousand_varying_features_stays_fast() -> None:
    reference = replace(a_reference(np.arange(500.0)), natural=dict.fromkeys(LEARNABLE, VARIES))
    panel = Panel("numeric", [reference] * 1_000)
    window = PanelCounts(panel, [counted(reference.bins, np.arange(250.0))] * 1_000)
    nulls, before = NaturalNulls(panel), measured(panel, window)
    took = []
    for _ in range(5):
        began = time.process_time()
        nulls.apply(before, window)
        took.append(time.process_time() - began)
    assert min(took) < 0.02, "five statistics of each; .3 ms a statistic of a thousand features when it was written"
