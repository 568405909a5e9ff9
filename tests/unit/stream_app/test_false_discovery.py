"""The correction for many tests, against the adjusted p-values of its source and of scipy, to the last bit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stream_app.false_discovery import discoveries

Floats = npt.NDArray[np.float64]


def adjusted(p: Floats) -> Floats:
    """By the definition: with p sorted ascending, min over j >= i of min(1, p_j m / j)."""
    order = np.argsort(p)
    scaled = p[order] * (p.size / np.arange(1, p.size + 1))
    found = np.empty_like(scaled)
    found[order] = np.minimum.accumulate(scaled[::-1])[::-1]
    return np.minimum(found, 1.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0, 1))
def test_found_is_what_has_an_adjusted_p_below_q(p: list[float], q: float) -> None:
    flat = np.array(p)
    assert adjusted(flat).tolist() == stats.false_discovery_control(flat, method="bh").tolist()
    for level in (q, 0.01, *adjusted(flat)):  # at an adjusted p itself, too: below is not equal
        assert discoveries(flat, level).tolist() == (adjusted(flat) < level).tolist()
    assert flat.tolist() == p


@pytest.mark.parametrize("p", [float("nan"), -0.1, 1.1])
def test_what_is_no_p_value_is_refused_and_not_taken_for_no_finding(p: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        discoveries(np.array([0.5, p]), 0.01)
