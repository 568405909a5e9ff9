"""What a run waits for before it is judged: each of it is missed by its name."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from demo.complete import missing
from demo.story import Story
from tests.builders import NOON
from tests.contracts.messages import REPORT
from tests.unit.demo.test_loop_verdict import PLAN, a_performance, a_story, the_loop

LAST = 8
"""The last window of the plot."""


def a_whole_story() -> Story:
    story = a_story()
    for window, version in (*((number, "1") for number in range(4)), (LAST, "2")):
        start = NOON + window * PLAN.window
        story.report(msgspec.structs.replace(REPORT, version=version, window_start=start))
    story.measured(a_performance(LAST, "2", "well"))
    return story


def no_first_window(story: Story) -> None:
    del story.reports[0]


def no_last_window(story: Story) -> None:
    the_loop(story).reports.clear()


def no_alert(story: Story) -> None:
    story.alerts.clear()


def no_last_labels(story: Story) -> None:
    del the_loop(story).performance["2", LAST]


def test_nothing_is_missing_where_all_has_come() -> None:
    story = a_whole_story()
    assert missing(story, the_loop(story)) is None


@pytest.mark.parametrize(
    ("take", "what"),
    [
        (no_first_window, "every window's report"),
        (no_last_window, "every window's report"),
        (no_alert, "the alerts"),
        (no_last_labels, "the performance of the last window"),
    ],
)
def test_what_has_not_come_is_named(take: Callable[[Story], None], what: str) -> None:
    story = a_whole_story()
    take(story)
    assert missing(story, the_loop(story)) == what


def test_without_a_new_champion_nobody_waits_for_its_windows() -> None:
    story = a_whole_story()
    the_loop(story).steps.clear()
    no_last_window(story)
    no_last_labels(story)
    assert missing(story, the_loop(story)) is None
