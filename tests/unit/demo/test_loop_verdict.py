"""The second act's promises: each can be broken, and is then called broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import msgspec
import pandas as pd
import pytest

from contracts.model_events import ModelEvent
from contracts.performance import PerformanceReport
from demo.datasets.dataset import SecondAct
from demo.loop import Later, Loop
from demo.loop_summary import closing
from demo.loop_verdict import own_windows, promises
from demo.scenario import Phase, Plan, last_phase
from demo.story import Story
from tests.builders import NOON
from tests.contracts.messages import ALERT, REPORT

PLAN = Plan(rows_per_window=10, quiet_windows=4, episode_windows=2)
QUIET = (Phase("quiet", "nothing happens", 0, 4, pd.DataFrame()),)
ACT = SecondAct("moved", "another world", pd.DataFrame({"x": [0.0] * 100}), 20, 2, ("temp",), base=True)


def a_step(kind: str, version: str = "2", **details: str) -> ModelEvent:
    return ModelEvent(
        id=kind, kind=kind, at=NOON, model="m", version=version, by="watch", reason="because", details=details
    )


def a_performance(window: int, version: str, status: str) -> PerformanceReport:
    start = NOON + window * PLAN.window
    return PerformanceReport(
        id="p",
        model="m",
        version=version,
        baseline="0" * 16,
        window_start=start,
        window_end=start + PLAN.window,
        revision=1,
        labelled=20,
        predictions=20,
        positives=5,
        status=status,
        metrics=(),
    )


def a_story() -> Story:
    """A run in which everything held: windows 4 and 5 are learnt, 7 and 8 answered by version 2 alone."""
    loop = Loop(ACT, last_phase(ACT, QUIET), closed_at=55, later=Later(45, 0.75, 0.78))
    story = Story(PLAN, QUIET, NOON, loop)
    for window in (4, 5):
        start = NOON + window * PLAN.window
        story.report(msgspec.structs.replace(REPORT, version="1", window_start=start, rows=20))
        story.measured(a_performance(window, "1", "degraded"))
    for window in (7, 8):
        story.measured(a_performance(window, "2", "well"))
    start = NOON + 5 * PLAN.window
    features = (msgspec.structs.replace(ALERT.features[0], feature="temp"),)
    story.deliver(
        msgspec.structs.replace(ALERT, version="1", window_start=start, transition="raise", features=features), 1.0
    )
    steps = (
        a_step("retraining-decided", "1", trigger="performance"),
        a_step("promoted"),
        a_step("retraining-ended", outcome="promoted"),
    )
    loop.steps = {event.kind: (float(at), event) for at, event in enumerate(steps)}
    return story


def the_loop(story: Story) -> Loop:
    assert story.loop is not None
    return story.loop


def test_a_loop_in_which_everything_held_is_called_so() -> None:
    story = a_story()
    assert [check for check in promises(story, the_loop(story)) if not check.held] == []


def short_window(story: Story) -> None:
    story.reports[4] = msgspec.structs.replace(story.reports[4], rows=19)


def not_named(story: Story) -> None:
    story.alerts.clear()


def one_degraded_window(story: Story) -> None:
    the_loop(story).performance["1", 4] = a_performance(4, "1", "well")


def refused_by_the_gates(story: Story) -> None:
    the_loop(story).steps["retraining-ended"] = (9.0, a_step("retraining-ended", outcome="refused"))


def a_refused_request(story: Story) -> None:
    story.tally.refuse(422, "no such feature")


def no_better(story: Story) -> None:
    the_loop(story).later = replace(Later(45, 0.75, 0.78), after=0.75)


def bad_windows_of_the_new_one(story: Story) -> None:
    for window in (7, 8):
        the_loop(story).performance["2", window] = a_performance(window, "2", "degraded")


def a_page_of_the_new_one(story: Story) -> None:
    start = NOON + 8 * PLAN.window
    page = msgspec.structs.replace(ALERT, version="2", window_start=start, transition="raise", subject="performance")
    story.deliver(page, 2.0)


@pytest.mark.parametrize(
    "break_it",
    [
        short_window,
        not_named,
        one_degraded_window,
        refused_by_the_gates,
        a_refused_request,
        no_better,
        bad_windows_of_the_new_one,
        a_page_of_the_new_one,
    ],
)
def test_a_broken_promise_is_called_broken(break_it: Callable[[Story], None]) -> None:
    story = a_story()
    break_it(story)
    assert [check.held for check in promises(story, the_loop(story))].count(False) == 1


def test_one_bad_window_is_nobodys_promise_and_drift_that_goes_on_is_told() -> None:
    story = a_story()
    the_loop(story).performance["2", 7] = a_performance(7, "2", "degraded")
    page = msgspec.structs.replace(ALERT, version="2", window_start=NOON + 7 * PLAN.window, transition="raise")
    story.deliver(page, 2.0)
    last = promises(story, the_loop(story))[-1]
    assert (last.held, last.found) == (
        True,
        "1 of 2 windows degraded, no page for performance; drift was paged: distance",
    )


def test_a_feature_that_several_pages_name_is_told_once_in_their_order() -> None:
    story = a_story()
    feature = ALERT.features[0]
    both = tuple(msgspec.structs.replace(feature, feature=name) for name in ("dewp", "temp"))
    more = msgspec.structs.replace(story.alerts[0].alert, id="2", transition="escalate", features=both)
    assert promises(story, the_loop(story))[1].found == "1 page names temp"
    story.deliver(more, 2.0)
    assert promises(story, the_loop(story))[1].found == "2 pages name temp, dewp"


def test_what_fell_is_named() -> None:
    story = a_story()
    for window in (4, 5):
        found = msgspec.structs.replace(a_performance(window, "1", "degraded"), degraded=("log_loss",))
        the_loop(story).performance["1", window] = found
    assert "2 of 2 windows degraded: log loss" in [check.found for check in promises(story, the_loop(story))]


def test_where_no_feature_moves_a_page_for_drift_breaks_the_promise() -> None:
    story = a_story()
    story.loop = replace(the_loop(story), act=replace(ACT, blames=()))
    assert [check.promise for check in promises(story, story.loop) if not check.held] == [
        "moved: no page for drift, for no feature moves"
    ]


def test_a_window_that_both_models_answered_is_not_the_new_ones() -> None:
    story = a_story()
    story.measured(a_performance(6, "2", "degraded"))  # rows 40 to 59; it became the champion at 55
    assert [number for number, _ in own_windows(the_loop(story))] == [7, 8]


def test_the_summary_has_before_and_after_and_the_reason_of_each_step() -> None:
    story = a_story()
    found = closing(story, the_loop(story))
    assert (found["auc_before"], found["auc_after"], found["later_rows"]) == (0.75, 0.78, 45)
    assert [(step["kind"], step["reason"]) for step in found["steps"]][1] == ("promoted", "because")
