"""The final words of the demo: what the alerts say, for people at a terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console

from contracts.alerts import AlertFeature
from contracts.findings import Cause, ModelEffect, ScoreChange
from demo.scenario import Phase, Plan
from demo.story import Story
from demo.verdict import Audit
from demo.view import print_result
from tests.builders import NOON
from tests.contracts.messages import ALERT
from tests.unit.demo.test_verdict import ROWS

SENTENCE = "distance: 33 % of rows look multiplied by 1.61 (miles -> kilometres?)"


def a_feature(name: str, sentence: str = "", change: float | None = None) -> AlertFeature:
    return AlertFeature(
        feature=name,
        findings=("values",),
        p_value=1e-9,
        effect=0.2,
        since=NOON,
        new=True,
        cause=Cause(kind="unit", sentence=sentence) if sentence else None,
        model_effect=None if change is None else ModelEffect(if_world_moved=ScoreChange(change)),
    )


def printed(*features: AlertFeature, severity: str = "warning", width: int = 120) -> str:
    """What is printed after one alert."""
    story = Story(Plan(), (Phase("quiet", "", 0, 1, ROWS),), NOON)
    story.seconds = {"setup": 1, "servers": 1, "training": 1, "all": 2}
    transition = "raise" if features else "resolve"
    story.deliver(replace(ALERT, features=features, severity=severity, transition=transition), 1.0)
    console = Console(file=io.StringIO(), width=width)
    print_result(console, story, Audit(0, 0, 0, True), (), Path("summary.json"), Path("var/demo/alerts.jsonl"))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_cause_and_the_expected_change_of_the_mean_score_are_in_the_line_of_the_alert() -> None:
    line = next(line for line in printed(a_feature("distance", SENTENCE, -0.0612)).splitlines() if SENTENCE in line)
    assert line.split()[:2] == ["1", "raise"]
    assert line.split()[-1] == "-0.061"


def test_what_rounds_to_no_change_has_no_minus() -> None:
    assert "+0.000" in printed(a_feature("distance", SENTENCE, -0.0001))


def test_the_first_three_causes_are_told_and_the_others_counted_and_the_file_is_named() -> None:
    text = printed(*(a_feature(name, f"{name}: stuck [bold]") for name in "abcde"))
    assert [f"{name}: stuck [bold]" in text for name in "abcde"] == [True, True, True, False, False]
    assert "and 2 more" in text
    assert "var/demo/alerts.jsonl" in text


def test_a_feature_without_cause_and_a_resolve_are_told_too() -> None:
    assert "seats: no cause is named" in printed(a_feature("seats"))
    assert ALERT.summary in " ".join(printed(width=400).split())


@pytest.mark.parametrize("width", [60, 80])
def test_a_narrow_terminal_wraps_the_causes_and_loses_no_word(width: int) -> None:
    text = printed(a_feature("distance", SENTENCE, -0.0612), width=width)
    assert max(len(line) for line in text.splitlines() if "alerts.jsonl" not in line) <= width
    assert all(word in text for word in SENTENCE.split())


@pytest.mark.parametrize(("severity", "said"), [("harmless", True), ("warning", False)])
def test_a_harmless_page_is_explained_where_there_is_one(severity: str, said: bool) -> None:
    text = printed(a_feature("distance", SENTENCE), severity=severity)
    assert ("STREAM_PAGE_HARMLESS=true" in text) == said
