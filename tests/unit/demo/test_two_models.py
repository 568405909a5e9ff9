"""Two models are compared on the rows that came after the change, and window by window where a window is whole."""

from __future__ import annotations

import numpy as np
import pandas as pd

from demo.datasets.dataset import SecondAct
from demo.later import WINDOW, Ranked, ranked
from demo.loop import Later, Loop
from demo.scenario import Phase, last_phase
from demo.two_models import later_rows, read_ranked

ACT = SecondAct("moved", "", pd.DataFrame({"x": range(14)}), rows_per_window=4, learn=1, blames=(), base=False)


def test_only_windows_behind_the_change_that_are_whole_are_compared_by_themselves() -> None:
    # |-- 0..3 --|-- 4, 5 * 6, 7 --|-- 8..11 --|-- 12, 13      *: the change
    loop = Loop(ACT, last_phase(ACT, (Phase("quiet", "", 0, 1, pd.DataFrame()),)), closed_at=6)
    rows = later_rows(loop)
    assert rows["x"].tolist() == list(range(6, 14))
    assert rows[WINDOW].fillna(-1).tolist() == [-1, -1, 2, 2, 2, 2, -1, -1]


def test_a_window_with_one_truth_alone_is_left_out() -> None:
    truths = np.array([0, 1, 1, 0, 0, 0])
    scores = np.array([0.1, 0.9, 0.2, 0.8, 0.3, 0.3])
    found = ranked(truths, scores, np.array([1.0, 1.0, 1.0, 1.0, 2.0, np.nan]))
    assert found.windows == {1: 0.75}
    assert found.auc == 5 / 8  # .9 beats all four, .2 one


def test_what_was_printed_is_read_in_the_order_of_the_versions() -> None:
    line = '{"2":{"auc":0.8,"windows":{"3":0.7}},"1":{"auc":0.75,"windows":{}}}'
    assert read_ranked(line, ("1", "2")) == [Ranked(0.75, {}), Ranked(0.8, {3: 0.7})]


def test_the_windows_in_which_the_new_one_is_better_are_counted() -> None:
    assert Later(9, 0.7, 0.8, ((0.7, 0.8), (0.7, 0.7), (0.6, 0.7))).better_windows == 2
