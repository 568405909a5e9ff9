"""The plot: every window full, no quiet row twice, all of it in the past."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from contracts.schema import Feature
from demo.datasets.dataset import Episode, SecondAct
from demo.scenario import Plan, event_times, last_phase, plot, start_before
from training.data.description import Description

NOW = datetime(2026, 5, 4, 12, 34, 56, tzinfo=UTC)


class Numbers:
    """A data set whose quiet rows are 0, 1, 2, ..."""

    description = Description("numbers", "reference.csv", (Feature("x", "numeric"),))
    episodes = (
        Episode("twice", "everything doubles", ("x",), lambda rows, seed: rows * 2),
        Episode("own", "rows of its own", ("x",), lambda rows, seed: pd.DataFrame({"x": [-1.0] * 99}), own_rows=True),
    )

    def __init__(self, rows: int = 100) -> None:
        self.rows = rows

    def reference(self, seed: int) -> pd.DataFrame:
        return pd.DataFrame({"x": [0.5] * 10})

    def quiet(self, seed: int) -> pd.DataFrame:
        return pd.DataFrame({"x": [float(i) for i in range(self.rows)]})


PLAN = Plan(rows_per_window=10, quiet_windows=3, episode_windows=2, repaired_windows=1)


def test_the_first_act_is_quiet_tells_each_fault_and_ends_with_its_repair() -> None:
    phases = plot(Numbers(), PLAN, seed=0)
    assert [(p.name, list(p.window_numbers), len(p.rows)) for p in phases] == [
        ("quiet", [0, 1, 2], 30),
        ("twice", [3, 4], 20),
        ("repaired", [5], 10),
    ]


def test_the_second_act_follows_with_windows_of_its_own_size() -> None:
    act = SecondAct("moved", "another world", pd.DataFrame({"x": [0.0] * 45}), 20, 1, ("x",), base=True)
    phase = last_phase(act, plot(Numbers(), PLAN, seed=0))
    assert (phase.name, list(phase.window_numbers), phase.blames) == ("moved", [6, 7, 8], ("x",))


def test_no_quiet_row_is_used_twice() -> None:
    quiet, twice, repaired = plot(Numbers(), PLAN, seed=0)
    assert quiet.rows["x"].tolist() == [float(i) for i in range(30)]
    assert twice.rows["x"].tolist() == [2.0 * i for i in range(30, 50)]
    assert repaired.rows["x"].tolist() == [float(i) for i in range(50, 60)]


@pytest.mark.parametrize(("rows", "wanted"), [(29, "30 quiet rows"), (49, "50 quiet rows"), (59, "60 quiet rows")])
def test_too_few_rows_say_how_many_are_wanted(rows: int, wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted):
        plot(Numbers(rows), PLAN, seed=0)


def test_every_event_lies_in_its_window_and_in_the_past() -> None:
    # |-- window 0 --|-- 1 --| ... |-- 6 --|-- labels --|-- spare --| now
    start = start_before(NOW, 7, PLAN)
    assert start.timestamp() % PLAN.window.total_seconds() == 0
    times = list(event_times(start, PLAN.step, 70))
    assert [(time - start) // PLAN.window for time in times] == [i // 10 for i in range(70)]
    assert times[-1] < NOW - 2 * PLAN.window
    assert times[1] - times[0] == timedelta(minutes=6)
