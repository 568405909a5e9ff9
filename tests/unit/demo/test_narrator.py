"""What the demo says while it runs: each thing once."""

from __future__ import annotations

import io

from msgspec.structs import replace
from rich.console import Console

from demo.errors import DemoError
from demo.narrator import Narrator
from tests.unit.demo.test_loop_verdict import a_performance, a_step, a_story, the_loop

WIPED = "\x1b[2K"
"""A line is erased."""


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


def at_a_terminal(*, broken: bool) -> list[str]:
    """What a run leaves on a terminal: the frames, each of which wipes the one before it."""
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    try:
        with Narrator(a_story(), console) as narrator:
            narrator.doing("stopping")
            if broken:
                raise DemoError("no port is free")
    except DemoError:
        pass
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().split("Tidemark")


def test_the_live_view_vanishes_at_the_end_for_the_tables_say_it_all() -> None:
    frame = at_a_terminal(broken=False)[-1]
    assert frame.count(WIPED) >= frame.split(WIPED)[0].count("\n")


def test_the_live_view_of_a_run_that_broke_off_stays_and_says_so() -> None:
    frame = at_a_terminal(broken=True)[-1]
    assert "broken off" in frame
    assert "stopping" not in frame
    assert WIPED not in frame
