"""The second act at a terminal: what happened in each window, why each step was taken, and what it was worth."""

from __future__ import annotations

import io

import pandas as pd
from msgspec.structs import replace
from rich.console import Console

from contracts.performance import Measured
from demo.datasets.dataset import SecondAct
from demo.loop import Later, Loop
from demo.loop_view import all_windows, performance_words, print_loop, step_line, told
from demo.scenario import last_phase
from demo.story import Story
from demo.view import View
from tests.builders import NOON
from tests.contracts.messages import REPORT
from tests.unit.demo.test_loop_verdict import PLAN, QUIET, a_performance, a_step, a_story, the_loop

AUC = Measured(name="auc", value=0.7061, better="higher", low=0.68, high=0.731, reference=0.795)


def printed(shadowed: int = 0) -> list[str]:
    story = a_story()
    loop = the_loop(story)
    loop.reports["2", 6] = replace(REPORT, version="2", rows=20, shadow_rows=shadowed)
    loop.later = Later(45, 0.752, 0.784, ((0.7, 0.8), (0.8, 0.7)))
    story.measured(replace(a_performance(5, "1", "degraded"), revision=2, metrics=(AUC,)))
    console = Console(file=io.StringIO(), width=120)
    print_loop(console, story, loop)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_a_window_has_its_version_its_auc_with_its_interval_and_its_verdict() -> None:
    line = next(line for line in printed() if line.startswith("6 "))
    assert line.split() == ["6", "1", "20", "20", "0.706", "[0.680,", "0.731]", "degraded", "distance"]


def test_events_that_a_version_scored_in_shadow_are_explained_where_there_are_some() -> None:
    assert [any("scored in shadow" in line for line in printed(shadowed)) for shadowed in (0, 5)] == [False, True]


def test_each_step_is_told_with_its_reason_but_not_how_promoters_agree() -> None:
    steps = [line for line in printed() if "because" in line]
    assert [line.split()[2] for line in steps] == ["retraining", "new"]
    assert not told(a_step("claimed"))


def test_a_retraining_that_ended_otherwise_is_told() -> None:
    refused = a_step("retraining-ended", outcome="refused")
    assert told(refused)
    assert step_line(refused) == "retraining ended, version 2: because"


def test_before_and_after_are_of_the_same_rows_and_say_in_how_many_windows_it_is_better() -> None:
    lines = printed()
    at = next(number for number, line in enumerate(lines) if line.startswith("before and after"))
    text = "\n".join(lines[at:])
    assert all(
        part in text for part in ("0.752", "0.784", "+0.032", "the same 45 rows", "better in 1 of 2 whole windows")
    )


def test_performance_in_words_has_what_fell_and_what_it_is_held_against() -> None:
    report = replace(a_performance(5, "1", "degraded"), metrics=(AUC,), degraded=("log_loss",))
    assert performance_words(report) == "20 labels, degraded: log loss; AUC 0.706 [0.680, 0.731], reference 0.795"
    natural = replace(AUC, natural_low=0.58, natural_high=0.87)
    assert performance_words(replace(report, metrics=(natural,))).endswith(
        "AUC 0.706 [0.680, 0.731], while all is well 0.580 to 0.870"
    )


def test_many_windows_before_the_change_are_shortened_and_those_behind_it_are_not() -> None:
    rows = pd.DataFrame({"x": [0.0] * 40 * 20})
    act = SecondAct("moved", "", rows, rows_per_window=20, learn=30, blames=(), base=True)
    loop = Loop(act, last_phase(act, QUIET))
    story = Story(PLAN, QUIET, NOON, loop)
    for window in range(4, 44):
        story.measured(a_performance(window, "1" if window < 34 else "2", "degraded" if window % 2 else "well"))
    table = all_windows(story, loop)
    numbers = list(table.columns[0].cells)
    assert numbers == [*(str(n) for n in range(5, 18)), "...", *(str(n) for n in range(33, 45))]
    assert list(table.columns[5].cells)[13] == "8 of 15 degraded"


def test_while_it_runs_the_newest_windows_and_steps_are_shown() -> None:
    story = a_story()
    story.notes.append("1.0 s rollout, version 2: because")
    console = Console(file=io.StringIO(), width=120)
    console.print(View(story))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert all(
        part in text
        for part in ("webhook: raise (critical) after window 6 of version 1: drift: temp", "because", "degraded")
    )
