"""Alerts about performance: the same policy, incidents of their own, and one judgement of each window.

window   1     2      3   4   5   6
auc      fell  fell   .   .   .   .
         .     raise  .   .   .   resolve     page_after=2, of_last=3, resolve_after=3
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from msgspec.structs import replace

from contracts.alerts import DriftAlert
from contracts.mutes import Mute
from contracts.performance import Measured, PerformanceReport
from stream_app.alerting.performance_judging import case_of, judged_performance, skill_lost
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.alerting.policy_rebuilt import rebuilt
from stream_app.alerting.policy_state import PolicyState
from tests.alerting import HOUR, a_mute, a_report, told, transitions, window
from tests.performance import a_performance_report

CONFIG = PolicyConfig()


def judged(
    reports: Iterable[PerformanceReport], config: PolicyConfig = CONFIG, mutes: Sequence[Mute] = ()
) -> tuple[PolicyState, list[tuple[DriftAlert, ...]]]:
    state, alerts = PolicyState(), []
    for report in reports:
        state, some = judged_performance(report, state, config, mutes)
        alerts.append(some)
    return state, alerts


FALLEN = [a_performance_report(1, auc=0.73), a_performance_report(2, auc=0.725)]
LIFE = [*FALLEN, *(a_performance_report(number) for number in (3, 4, 5, 6))]


def test_performance_that_stays_down_is_raised_once_and_resolved_when_it_is_back() -> None:
    _, alerts = judged(LIFE)
    assert transitions(alerts) == [".", "raise", ".", ".", ".", "resolve"]


def test_the_alert_says_which_measure_fell_from_what_to_what() -> None:
    (raised,), (resolved,) = judged(LIFE)[1][1], judged(LIFE)[1][5]
    assert raised.summary == (
        "performance of flights/3 fell: AUC .784 -> .725 (p 3e-09), in at least 2 of the last 3 judged windows, "
        "window 2026-01-01T13:00:00Z to 2026-01-01T14:00:00Z"
    )
    assert resolved.summary == (
        "performance of flights/3 is back (AUC) after 3 clean windows in a row, raised 2026-01-01T13:00:00Z, "
        "window 2026-01-01T17:00:00Z to 2026-01-01T18:00:00Z"
    )
    (feature,) = raised.features
    assert (raised.subject, feature.feature, feature.value, feature.reference) == (
        "performance",
        "performance:auc",
        0.725,
        0.784,
    )


def test_revisions_of_a_window_page_once_and_a_repeated_one_gives_its_alert_back() -> None:
    state, alerts = judged(FALLEN)
    later = replace(FALLEN[1], id="flights/3/2026-01-01T13:00:00+00:00/2", revision=2)
    assert judged_performance(later, state, CONFIG) == (state, ())
    assert judged_performance(FALLEN[1], state, CONFIG) == (state, alerts[1])


@pytest.mark.parametrize(
    ("changed", "is_judged"),
    [
        ({"predictions": 1000, "labelled": 949}, False),
        ({"predictions": 1000, "labelled": 950}, True),
        ({"predictions": None}, False),
        ({"predictions": 1000, "labelled": 400, "final": True}, True),
        ({"predictions": None, "final": True}, True),
        ({"predictions": 1000, "status": "insufficient", "final": True}, False),
    ],
)
def test_a_window_is_judged_when_its_labels_are_complete_and_enough(
    changed: dict[str, object], is_judged: bool
) -> None:
    state, _ = judged([replace(FALLEN[0], **changed)])
    assert (state.decided is not None) is is_judged


def test_an_incident_of_drift_and_one_of_performance_in_the_same_window_are_two() -> None:
    (drift,) = told([a_report(1, "distance"), a_report(2, "distance")])[1][1]
    (performance,) = judged(FALLEN)[1][1]
    assert (drift.window_start, drift.version) == (performance.window_start, performance.version)
    assert drift.incident != performance.incident
    assert drift.id != performance.id


def test_what_is_rebuilt_of_one_subject_knows_nothing_of_the_other() -> None:
    (drift,) = told([a_report(1, "distance"), a_report(2, "distance")])[1][1]
    (performance,) = judged(FALLEN)[1][1]
    alerts = [drift, performance]
    about_drift = rebuilt(alerts, 2)["flights", "3"]
    about_performance = rebuilt(alerts, 2, "performance")["flights", "3"]
    assert about_drift.incident is not None
    assert about_drift.incident.id == drift.incident
    assert [entry.feature for entry in about_performance.tracked] == ["performance:auc"]
    state, said = about_performance, []
    for report in LIFE[2:]:
        state, some = judged_performance(report, state, CONFIG)
        said.append(some)
    assert transitions(said) == [".", ".", ".", "resolve"]


def test_a_reminder_after_a_restart_tells_the_numbers_of_the_alert() -> None:
    (raised,) = judged(FALLEN)[1][1]
    state = rebuilt([raised], 2, "performance")["flights", "3"]
    _, (said,) = judged_performance(a_performance_report(3), state, PolicyConfig(remind_after_ms=3_600_000))
    assert (
        "is still down since 2026-01-01T13:00:00Z: AUC .784 -> .725 (p 3e-09), last seen in the window" in said.summary
    )


def test_a_mute_of_a_measure_silences_it_and_not_the_others() -> None:
    fallen = [a_performance_report(number, auc=0.725, log_loss=0.5) for number in (1, 2)]
    _, alerts = judged(fallen, mutes=[a_mute("performance:auc", first=1, last=5)])
    (raised,) = alerts[1]
    assert [feature.feature for feature in raised.features] == ["performance:log_loss"]
    assert judged(fallen, mutes=[a_mute(first=1, last=5)])[1] == [(), ()]


def test_a_measure_that_joins_is_said_to_have_fallen_further() -> None:
    more = [a_performance_report(number, auc=0.72, log_loss=0.5) for number in (3, 4)]
    _, alerts = judged([*FALLEN, *more])
    (escalated,) = alerts[3]
    assert escalated.summary.startswith(
        "performance of flights/3 fell further: log loss .420 -> .500 (p 3e-09); measures paging now: 2, window "
    )


def test_many_measures_at_once_are_no_storm() -> None:
    names = ("auc", "average_precision", "log_loss", "calibration_error", "cost")
    metrics = tuple(
        Measured(name=name, value=0.5, better="lower", reference=0.4, p_value=1e-9, degraded=True) for name in names
    )
    reports = [replace(report, metrics=metrics, degraded=names) for report in FALLEN]
    assert [alert.storm for some in judged(reports)[1] for alert in some] == [False]


@pytest.mark.parametrize(("auc", "severity"), [(0.725, "warning"), (0.70, "critical")])
def test_a_quarter_of_the_skill_lost_is_critical(auc: float, severity: str) -> None:
    (raised,) = judged([a_performance_report(1, auc=auc), a_performance_report(2, auc=auc)])[1][1]
    assert raised.severity == severity


def test_a_bias_to_either_side_is_a_loss() -> None:
    for value in (-3.0, 3.0):
        assert skill_lost(Measured(name="bias", value=value, better="zero", reference=-2.0)) == 0.5
    assert skill_lost(Measured(name="bias", value=0.5, better="zero", reference=0.0)) == 1.0


def test_only_measures_that_were_tested_are_put_to_the_policy() -> None:
    report = replace(FALLEN[0], metrics=(*FALLEN[0].metrics, Measured(name="brier", value=0.1, better="lower")))
    assert {verdict.feature for verdict in case_of(report).features} == {"performance:auc", "performance:log_loss"}
    assert case_of(report).alarms == ("performance:auc",)
    assert case_of(report).window_end == window(1) + HOUR
