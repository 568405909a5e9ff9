"""The fullest bin: the shortcut against every bin by brute force, and what it is there to find."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from contracts.baseline import Reference
from contracts.binning import Bins
from stream_app.drift.panel import Panel, PanelCounts
from stream_app.drift.peak import Peak
from stream_app.drift.psi import Psi
from tests.drift import a_reference, measure, size_under_the_null

counts = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=2, max_size=40)


@settings(max_examples=150, deadline=None)
@given(counts=counts, scale=st.sampled_from([1, 7, 100]))
def test_looking_at_few_bins_gives_the_p_of_looking_at_all(counts: list[tuple[int, int]], scale: int) -> None:
    reference, window = (np.array(column) for column in zip(*counts, strict=True))
    short, whole = p_of(reference * scale, window), p_of_all_bins(reference * scale, window)
    if 3 * window.sum() <= (reference * scale).sum():
        assert short == pytest.approx(whole, rel=1e-6)
    else:
        assert short == pytest.approx(whole, rel=1e-6) or 1 == short >= whole > 0.05


def test_the_shortcut_loses_no_bin_where_p_is_close_to_1() -> None:
    rng = np.random.default_rng(4)
    reference = rng.integers(1, 2_000, 30)
    exact = []
    for _ in range(100):
        window = rng.multinomial(400, reference / reference.sum())
        exact.append(p_of_all_bins(reference, window))
        assert p_of(reference, window) == pytest.approx(exact[-1], rel=1e-6)
    assert sum(0.2 < p < 1 for p in exact) > 20


def p_of(reference: np.ndarray, window: np.ndarray) -> float:
    bins = Bins(tuple(float(edge) for edge in range(1, reference.size)), 0.0, float(reference.size))
    panel = Panel("numeric", [Reference(bins, tuple(reference.tolist()))])
    p = Peak(panel).measure(PanelCounts(panel, [Reference(bins, tuple(window.tolist())).histogram])).p
    assert p is not None
    return float(p[0])


def p_of_all_bins(reference: np.ndarray, window: np.ndarray) -> float:
    n, m = window.sum(), reference.sum()
    if not n or not m or (window * m == reference * n).all():
        return 1.0
    return min(1.0, reference.size * float(stats.binom.sf(window - 1, window + reference, n / (n + m)).min()))


def test_a_stuck_value_in_two_percent_of_the_rows_is_found_where_psi_sees_nothing() -> None:
    rng = np.random.default_rng(0)
    values, window = rng.normal(size=20_000), rng.normal(size=1_000)
    window[:20] = 0.4321
    reference = a_reference(values)
    peak, psi = (measure(metric, "numeric", [reference], [window]).p for metric in (Peak, Psi))
    assert peak is not None
    assert psi is not None
    assert peak[0] < 1e-4
    assert psi[0] > 0.01


def test_the_test_keeps_its_level() -> None:
    rng = np.random.default_rng(1)
    windows = [rng.normal(size=1_000) for _ in range(1_000)]
    assert size_under_the_null(Peak, "numeric", rng.normal(size=100_000), windows, 0.05) < 0.07


@pytest.mark.parametrize(("known", "rows"), [(500, 500), (500, 20_000), (5_000, 50_000)])
def test_a_small_reference_does_not_make_every_window_look_too_full(known: int, rows: int) -> None:
    rng = np.random.default_rng(2)
    found = [p_of_normal(rng.normal(size=known), rng.normal(size=rows)) for _ in range(60)]
    assert np.mean(np.array(found) < 0.05) < 0.1  # all of them where the reference's shares are taken for certain


def p_of_normal(reference: np.ndarray, window: np.ndarray) -> float:
    p = measure(Peak, "numeric", [a_reference(reference)], [window]).p
    assert p is not None
    return float(p[0])
