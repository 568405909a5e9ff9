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
    reference = reference * scale
    bins = Bins(tuple(float(edge) for edge in range(1, len(counts))), 0.0, float(len(counts)))
    panel = Panel("numeric", [Reference(bins, tuple(reference.tolist()))])
    measured = Peak(panel).measure(PanelCounts(panel, [Reference(bins, tuple(window.tolist())).histogram]))
    n, m = window.sum(), reference.sum()
    tails = stats.binom.sf(window - 1, n, (reference + 1) / (m + 1))
    expected = min(1.0, len(counts) * tails.min()) if measured.size[0] > 0 else 1.0
    assert measured.p is not None
    assert measured.p[0] == pytest.approx(expected, rel=1e-6)


def test_a_stuck_value_in_two_percent_of_the_rows_is_found_where_psi_sees_nothing() -> None:
    rng = np.random.default_rng(0)
    values, window = rng.normal(size=20_000), rng.normal(size=1_000)
    window[:20] = 0.4321
    reference = a_reference(values)
    peak, psi = (measure(metric, "numeric", [reference], [window]).p for metric in (Peak, Psi))
    assert peak is not None
    assert psi is not None
    assert peak[0] < 1e-5
    assert psi[0] > 0.01


def test_the_test_keeps_its_level() -> None:
    rng = np.random.default_rng(1)
    windows = [rng.normal(size=1_000) for _ in range(1_000)]
    assert size_under_the_null(Peak, "numeric", rng.normal(size=100_000), windows, 0.05) < 0.07
