"""The verdict: each promise of the demo can be broken, and is then called broken."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import msgspec
import pandas as pd
import pytest
from msgspec.structs import replace

from contracts.alerts import AlertFeature, DriftAlert
from contracts.findings import Cause, ModelEffect, ScoreChange
from contracts.reports import DriftReport
from demo.datasets.dataset import TrueCause
from demo.load import Tally
from demo.scenario import Phase, Plan
from demo.story import Delivered, Story
from demo.summary import summary
from demo.verdict import Audit, expectations, read_audit
from tests.builders import NOON
from tests.contracts.messages import ALERT, REPORT

PLAN = Plan(rows_per_window=10, quiet_windows=3, episode_windows=2)
ROWS = pd.DataFrame()
PHASES = (
    Phase("quiet", "nothing happens", 0, 3, ROWS),
    Phase("bug", "a unit bug", 3, 2, ROWS, ("distance",), TrueCause("distance", "unit", 1.609, 1 / 3)),
    Phase("summer", "another season", 5, 2, ROWS, ("temp", "dewp", "humid")),
)
AUDIT = Audit(counted=70, late=0, dead_lettered=0, balanced=True)


def a_report(window: int, *, rows: int = 10, status: str = "quiet", alarms: tuple[str, ...] = ()) -> DriftReport:
    start = NOON + window * PLAN.window
    return msgspec.structs.replace(
        REPORT, window_start=start, window_end=start + PLAN.window, rows=rows, status=status, alarms=alarms
    )


EFFECT = ModelEffect(if_world_moved=ScoreChange(-0.0012))
UNIT = Cause(kind="unit", sentence="distance: 34 % of rows look multiplied by 1.61", share=0.34, factor=1.609344)


def an_alert(window: int, *features: str, transition: str = "raise", cause: Cause | None = UNIT) -> DriftAlert:
    start = NOON + window * PLAN.window
    named = tuple(
        AlertFeature(
            feature=name,
            findings=("values",),
            p_value=1e-9,
            effect=0.2,
            since=NOON,
            new=True,
            cause=cause,
            model_effect=EFFECT,
        )
        for name in features
    )
    return msgspec.structs.replace(
        ALERT, window_start=start, window_end=start + timedelta(hours=1), features=named, transition=transition
    )


def a_story() -> Story:
    """A run in which everything held."""
    story = Story(PLAN, PHASES, NOON, tally=Tally(answered=[str(i) for i in range(70)]), kill="worker-1")
    story.began = {"quiet": (0.0, 0), "bug": (30.0, 30), "summer": (50.0, 50)}
    for window in range(7):
        story.report(a_report(window))
    story.deliver(an_alert(4, "distance", "score"), 41.5)
    story.deliver(an_alert(6, "wind", "temp", "dewp", "humid", transition="escalate"), 70.0)
    return story


def held(story: Story, audit: Audit = AUDIT) -> bool:
    return all(check.held for check in expectations(story, audit))


def test_a_run_in_which_everything_held_is_called_so() -> None:
    assert held(a_story())


def without_report(story: Story) -> None:
    del story.reports[2]


def short_window(story: Story) -> None:
    story.reports[2] = a_report(2, rows=9)


def page_when_quiet(story: Story) -> None:
    story.deliver(an_alert(1, "distance"), 12.0)


def no_kill(story: Story) -> None:
    story.kill = ""


def page_too_early(story: Story) -> None:
    story.alerts.pop(0)
    story.deliver(an_alert(3, "distance"), 33.0)


def another_feature_first(story: Story) -> None:
    story.alerts.pop(0)
    story.deliver(an_alert(4, "score", "distance"), 41.0)


def one_weather_feature_not_named(story: Story) -> None:
    story.alerts.pop(1)
    story.deliver(an_alert(6, "temp", "humid"), 70.0)


def an_answer_unaccounted_for(story: Story) -> None:
    story.tally.answered.append("one more")


@pytest.mark.parametrize(
    "break_it",
    [
        without_report,
        short_window,
        page_when_quiet,
        no_kill,
        page_too_early,
        another_feature_first,
        one_weather_feature_not_named,
        an_answer_unaccounted_for,
    ],
)
def test_a_broken_promise_is_called_broken(break_it: Callable[[Story], None]) -> None:
    story = a_story()
    break_it(story)
    assert [check.held for check in expectations(story, AUDIT)].count(False) == 1


def test_without_a_page_there_is_no_cause_either_and_both_promises_are_broken() -> None:
    story = a_story()
    story.alerts.pop(0)
    assert [check.found for check in expectations(story, AUDIT) if not check.held] == ["no page", "no page"]


@pytest.mark.parametrize(
    "cause",
    [
        pytest.param(None, id="none"),
        pytest.param(replace(UNIT, kind="ratio"), id="of another kind"),
        pytest.param(replace(UNIT, factor=1.57), id="with a factor nearby"),
        pytest.param(replace(UNIT, factor=None), id="without a factor"),
        pytest.param(replace(UNIT, share=1.0), id="of all rows"),
        pytest.param(replace(UNIT, share=None), id="without a share"),
    ],
)
def test_an_alert_with_another_cause_breaks_the_promise_to_name_it_and_no_other(cause: Cause | None) -> None:
    story = a_story()
    story.alerts[0] = Delivered(an_alert(4, "distance", cause=cause), 41.5, 70)
    broken = [check for check in expectations(story, AUDIT) if not check.held]
    assert [check.promise for check in broken] == [
        "bug: the alert names the cause, distance times 1.609 in 33 % of the rows"
    ]
    assert broken[0].found == ("distance: no cause is named" if cause is None else UNIT.sentence)


def test_the_summary_has_the_causes_and_the_expected_changes_of_each_alert() -> None:
    first = summary(a_story(), AUDIT, expectations(a_story(), AUDIT))["alerts"][0]
    assert first["causes"][0] == {
        "feature": "distance",
        "kind": "unit",
        "sentence": UNIT.sentence,
        "factor": 1.609344,
        "share": 0.34,
        "expected_score_change": -0.0012,
    }
    assert [cause["feature"] for cause in first["causes"]] == first["features"] == ["distance", "score"]
    assert first["summary"] == ALERT.summary


def test_unbalanced_accounts_are_called_so() -> None:
    assert not held(a_story(), msgspec.structs.replace(AUDIT, balanced=False))


def test_a_raw_alarm_in_a_quiet_window_is_counted_and_breaks_nothing() -> None:
    story = a_story()
    story.reports[1] = a_report(1, status="alarm", alarms=("seats",))
    result = summary(story, AUDIT, expectations(story, AUDIT))
    assert (result["raw_quiet_alarms"], result["false_alarms"], result["held"]) == (1, 0, True)


def test_a_delay_is_counted_from_the_first_drifted_event() -> None:
    result = summary(a_story(), AUDIT, expectations(a_story(), AUDIT))
    assert [(alert["delay_events"], alert["delay_seconds"]) for alert in result["alerts"]] == [(40, 11.5), (20, 20.0)]


def test_a_repeated_report_is_counted_once_and_noted() -> None:
    story = a_story()
    story.report(a_report(3))
    assert (len(story.reports), story.repeats) == (7, 1)


def test_the_audit_is_read_from_its_json_line() -> None:
    line = (
        '{"balanced":true,"on_topic":9,"accounts":{"partitions":[{"partition":0,"refused":{"malformed":2}},'
        '{"partition":1,"refused":{}}],"versions":[{"model":"m","counted":5,"late":1},{"model":"n","counted":1,"late":0}]}}'
    )
    assert read_audit(line) == Audit(counted=6, late=1, dead_lettered=2, balanced=True)
