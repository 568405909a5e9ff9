"""Alerts in words: each says whom it is about, and all is clear only where something is over."""

from __future__ import annotations

import io

import pytest
from msgspec.structs import replace
from rich.console import Console

from contracts.alerts import Subject, Transition
from demo.alert_view import about, alert_line, alerts_table, causes_table, delay_words
from demo.scenario import Phase, Plan
from demo.story import Delivered, Story
from tests.builders import NOON
from tests.contracts.messages import ALERT
from tests.unit.demo.test_loop_verdict import a_story
from tests.unit.demo.test_verdict import ROWS

FIRST = replace(ALERT.features[0], feature="distance")


def a_line(transition: Transition, subject: Subject, *features: str) -> str:
    alert = replace(
        ALERT,
        version="2",
        transition=transition,
        subject=subject,
        window_start=NOON,
        features=tuple(replace(FIRST, feature=name) for name in features),
    )
    return alert_line(Story(Plan(), (Phase("quiet", "", 0, 1, ROWS),), NOON), Delivered(alert, 1.0, 1))


def cells(table: object, width: int = 200) -> list[list[str]]:
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return [line.split() for line in console.file.getvalue().splitlines()]


def test_all_is_clear_for_one_subject_of_one_version_and_the_other_may_go_on() -> None:
    severity = ALERT.severity
    assert a_line("resolve", "performance") == (
        f"webhook: resolve ({severity}) after window 1 of version 2: performance: all clear"
    )
    assert a_line("escalate", "drift", "temp", "dewp") == (
        f"webhook: escalate ({severity}) after window 1 of version 2: drift: temp, dewp"
    )


@pytest.mark.parametrize("transition", ["raise", "escalate", "remind"])
def test_an_alert_without_features_that_is_no_resolve_is_not_told_as_all_clear(transition: Transition) -> None:
    assert a_line(transition, "drift").endswith("of version 2: drift: no feature is named")


def test_a_measure_has_its_name_in_words_and_of_many_features_the_first_are_told() -> None:
    assert a_line("raise", "performance", "performance:log_loss", "performance:auc").endswith(
        ": performance: log loss, AUC"
    )
    assert a_line("raise", "drift", *"abcdef").endswith(": drift: a, b, c, d, 2 more")
    assert about(replace(ALERT, features=(FIRST,) * 6)).count("distance") == 6


def test_the_tables_say_of_which_window_and_version_each_alert_is() -> None:
    story = a_story()
    assert cells(alerts_table(story))[1][:6] == ["6", "1", "raise", ALERT.severity, "drift:", "temp"]
    assert cells(causes_table(story))[1][:2] == ["6", "raise"]


def test_the_delays_say_how_large_the_windows_of_each_act_are() -> None:
    both = delay_words(a_story())
    assert "a window holds 10 events, from window 5 on 20." in both
    assert "moved has none" in both
    one = delay_words(Story(Plan(), (Phase("quiet", "", 0, 1, ROWS),), NOON))
    assert one.endswith("a window holds 1,000 events.")
