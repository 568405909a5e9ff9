"""Many histograms end to end."""

from __future__ import annotations

import numpy as np
import pytest

from contracts.baseline import Reference
from contracts.binning import Bins, Levels
from stream_app.drift.panel import Panel, PanelCounts

TWO = Bins((1.0,), 0.0, 2.0)
FOUR = Bins((1.0, 2.0, 3.0), 1.0, 2.5)


def test_shares_add_up_within_each_feature_and_not_across() -> None:
    panel = Panel("numeric", [Reference(FOUR, (1, 1, 1, 1)), Reference(TWO, (3, 1))])
    window = PanelCounts(panel, [Reference(FOUR, (2, 0, 1, 1), missing=6).histogram, Reference(TWO, (0, 5)).histogram])
    assert window.shares.tolist() == [0.5, 0, 0.25, 0.25, 0, 1]
    assert window.cumulative.tolist() == [0.5, 0.5, 0.75, 1, 0, 1]
    assert (window.n.tolist(), window.rows.tolist()) == ([4, 5], [10, 5])


def test_strange_is_what_lies_outside_the_range_or_is_unseen() -> None:
    numeric = Panel("numeric", [Reference(FOUR, (0, 1, 1, 0))])
    assert PanelCounts(numeric, [Reference(FOUR, (5, 1, 1, 2)).histogram]).strange.tolist() == [7]
    levels = Levels(("a",), rest=("b",))
    categorical = Panel("categorical", [Reference(levels, (5, 1, 0))])
    assert PanelCounts(categorical, [Reference(levels, (2, 3, 4)).histogram]).strange.tolist() == [4]


def test_a_feature_without_values_has_shares_of_zero() -> None:
    panel = Panel("numeric", [Reference(TWO, (1, 1))])
    assert np.isfinite(PanelCounts(panel, [Reference.empty(TWO).histogram]).cumulative).all()


def test_a_panel_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Panel("numeric", [])
