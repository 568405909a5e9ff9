"""The correction for many tests, against scipy's, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stream_app.drift.false_discovery import benjamini_hochberg


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_adjusted_p_values_are_those_of_scipy_to_the_last_bit(p: list[float]) -> None:
    flat = np.array(p)
    assert benjamini_hochberg(flat).tolist() == stats.false_discovery_control(flat, method="bh").tolist()
    assert flat.tolist() == p


@pytest.mark.parametrize("p", [float("nan"), -0.1, 1.1])
def test_what_is_no_p_value_is_refused_and_not_taken_for_no_finding(p: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        benjamini_hochberg(np.array([0.5, p]))
