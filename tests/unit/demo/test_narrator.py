"""What the demo says while it runs: each thing once."""

from __future__ import annotations

import io

from msgspec.structs import replace
from rich.console import Console

from demo.narrator import Narrator
from tests.unit.demo.test_loop_verdict import a_performance, a_step, a_story, the_loop


def said(narrator: Narrator, console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return [line.split(" s  ", 1)[1] for line in console.file.getvalue().splitlines()]


def a_narrator() -> tuple[Narrator, Console]:
    console = Console(file=io.StringIO(), width=120)
    return Narrator(a_story(), console), console


def test_performance_of_a_window_is_told_once_when_nearly_all_labels_are_there() -> None:
    narrator, console = a_narrator()
    few = replace(a_performance(6, "1", "degraded"), labelled=5)
    for revision, labelled in enumerate((5, 19, 20), start=1):
        narrator.measured(replace(few, revision=revision, labelled=labelled))
    assert said(narrator, console) == ["window 7, version 1: 19 labels, degraded"]


def test_a_step_that_is_read_twice_is_told_once_and_its_first_moment_stays() -> None:
    narrator, console = a_narrator()
    step = a_step("rollout-changed")
    narrator.step(step)
    first = the_loop(narrator.story).steps[step.id]
    narrator.step(step)
    assert the_loop(narrator.story).steps[step.id] == first
    assert said(narrator, console) == ["rollout, version 2: because"]


def test_how_promoters_agree_is_kept_and_not_told() -> None:
    narrator, console = a_narrator()
    narrator.step(a_step("claimed"))
    assert "claimed" in the_loop(narrator.story).steps
    assert said(narrator, console) == []
