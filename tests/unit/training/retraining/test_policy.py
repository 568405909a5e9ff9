"""When to retrain: for a world that moved, never for broken data, and not twice for the same thing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from contracts.alerts import DriftAlert
from contracts.model_events import ModelEvent
from contracts.performance import PerformanceReport
from contracts.reports import DriftReport
from tests.builders import NOON
from tests.heard import HOUR, SHIFT, UNIT, alert, performance, report
from training.data.span import Span
from training.retraining.known import Known, hear_alert, hear_model_event, hear_performance, hear_report
from training.retraining.policy import Rules, decide

RULES = Rules(minimum_labelled=1000, minimum_moved=900)
CHAMPION = Known(model="flights", version="1")


def heard(*records: PerformanceReport | DriftReport | DriftAlert | ModelEvent, known: Known = CHAMPION) -> Known:
    for record in records:
        if isinstance(record, DriftAlert):
            known = hear_alert(known, record)
        elif isinstance(record, DriftReport):
            known = hear_report(known, record)
        elif isinstance(record, PerformanceReport):
            known = hear_performance(known, record)
        else:
            known = hear_model_event(known, record)
    return known


def event(kind: Any, **changes: Any) -> ModelEvent:
    fields: dict[str, Any] = {
        "id": kind,
        "kind": kind,
        "at": NOON,
        "model": "flights",
        "version": "2",
        "by": "test",
        "reason": "",
    }
    return ModelEvent(**{**fields, **changes})


WELL = [performance(i) for i in range(3)]
AFTER = [performance(i) for i in range(5, 9)]
"""Labels of windows behind those that BOTH and its like make unusable."""


def test_nothing_is_done_while_all_is_well() -> None:
    assert decide(heard(*WELL), RULES).kind == "wait"
    assert decide(CHAMPION, RULES).kind == "wait"


def test_performance_below_its_reference_for_k_windows_in_a_row_retrains() -> None:
    once = heard(*WELL, performance(3, "degraded"))
    assert decide(once, RULES).kind == "wait"
    decision = decide(heard(performance(4, "degraded"), known=once), RULES)
    assert (decision.kind, decision.trigger) == ("retrain", "performance")
    assert decision.reason == "2 windows in a row below the reference; the last: window 4 is degraded"


def test_a_good_window_between_breaks_the_row_and_one_of_too_few_labels_does_not() -> None:
    bad = [performance(3, "degraded"), performance(5, "degraded")]
    assert decide(heard(*WELL, *bad, performance(4)), RULES).kind == "wait"
    assert decide(heard(*WELL, *bad, performance(4, "insufficient")), RULES).kind == "retrain"
    assert decide(heard(*WELL, *bad, performance(4, "well", labelled=100)), RULES).kind == "retrain"


def test_a_window_hardly_labelled_yet_is_no_reason() -> None:
    bad = [performance(i, "degraded", labelled=250) for i in (3, 4)]
    assert decide(heard(*WELL, *bad), RULES).kind == "wait"


def test_only_the_highest_revision_of_a_window_counts() -> None:
    records = [performance(i, "degraded", revision=2) for i in (3, 4)]
    late = [performance(4, "well", revision=1)]
    assert decide(heard(*WELL, *records, *late), RULES).kind == "retrain"
    assert decide(heard(*WELL, *records, performance(4, "well", revision=3)), RULES).kind == "wait"


def test_many_windows_heard_together_are_known_as_one_by_one() -> None:
    records = [performance(i % 7, "degraded", revision=i % 3, version="12"[i % 2]) for i in range(50)]
    assert hear_performance(CHAMPION, *records) == heard(*records)


def test_drift_that_the_model_feels_retrains_and_harmless_drift_does_not() -> None:
    felt = heard(*WELL, alert(3, {"temp": SHIFT, "dewp": None}))
    assert decide(felt, RULES).trigger == "drift"
    assert decide(felt, RULES).reason == "drift that the model feels: dewp, temp"
    assert decide(felt, msgspec.structs.replace(RULES, drift=False)).kind == "wait"
    assert decide(heard(*WELL, alert(3, {"temp": SHIFT}, severity="harmless")), RULES).kind == "wait"
    assert decide(heard(*WELL, alert(3, {"temp": SHIFT}), alert(6, {}, "resolve")), RULES).kind == "wait"


def test_an_alert_about_performance_or_another_version_is_not_drift_of_the_champion() -> None:
    assert heard(alert(3, {"performance:auc": None}, subject="performance")) == CHAMPION
    assert heard(alert(3, {"temp": SHIFT}, model="other"), performance(3, model="other")) == CHAMPION
    for other in (alert(3, {"temp": SHIFT}, version="2"), performance(3, version="2")):
        known = heard(other)
        assert (known.incidents, known.windows, known.heard) == ({}, {}, None)


def test_a_unit_bug_is_repaired_and_not_learnt() -> None:
    broken = heard(*WELL, alert(3, {"distance": UNIT}))
    assert decide(broken, RULES).kind == "wait"
    falling = heard(performance(3, "degraded"), performance(4, "degraded"), known=broken)
    decision = decide(falling, RULES)
    assert decision.kind == "held"
    assert "to be repaired and not learnt: distance: a third of the rows look multiplied by 1.61" in decision.reason


def test_drift_beside_broken_data_waits_for_the_repair() -> None:
    both = heard(*WELL, alert(3, {"distance": UNIT, "temp": SHIFT}))
    assert decide(both, RULES).kind == "held"
    repaired = heard(*AFTER, alert(5, {"temp": SHIFT}, "remind"), known=both)
    decision = decide(repaired, RULES)
    assert decision.kind == "retrain"
    assert decision.leave_out == (Span(NOON + 2 * HOUR, NOON + 5 * HOUR),)


BOTH = alert(3, {"distance": UNIT, "temp": SHIFT})
"""The incident stays open because of temp, and says nothing for a day."""


def test_data_that_three_windows_in_a_row_show_whole_is_repaired_though_its_incident_stays_open() -> None:
    bad = [report(i, {"distance": UNIT, "temp": SHIFT}) for i in (2, 3, 4)]
    good = [report(i, {"temp": SHIFT}) for i in (5, 6)]
    assert decide(heard(*WELL, *AFTER, BOTH, *bad, *good), RULES).kind == "held"
    decision = decide(heard(*WELL, *AFTER, BOTH, *bad, *good, report(7, {"temp": SHIFT})), RULES)
    assert (decision.kind, decision.trigger) == ("retrain", "drift")
    assert decision.leave_out == (Span(NOON + 2 * HOUR, NOON + 5 * HOUR),)


def test_a_feature_that_now_moves_with_the_world_is_broken_no_more() -> None:
    moved = [report(i, {"distance": SHIFT, "temp": SHIFT}) for i in (4, 5, 6)]
    assert decide(heard(*WELL, *AFTER, BOTH, *moved), RULES).kind == "retrain"


def test_a_bug_that_comes_and_goes_is_not_repaired() -> None:
    windows = [report(i, {"distance": UNIT} if i % 3 == 0 else None) for i in range(2, 12)]
    assert decide(heard(*WELL, *AFTER, BOTH, *windows), RULES).kind == "held"


def test_data_that_breaks_again_in_the_same_incident_holds_again() -> None:
    whole = [report(i) for i in (4, 5, 6)]
    assert decide(heard(*WELL, *AFTER, BOTH, *whole), RULES).kind == "retrain"
    assert decide(heard(*WELL, *AFTER, BOTH, *whole, report(7, {"distance": UNIT})), RULES).kind == "held"


def test_windows_that_were_not_compared_repair_nothing() -> None:
    thin = [report(i, status="insufficient", features=()) for i in range(4, 9)]
    assert decide(heard(*WELL, *AFTER, BOTH, *thin), RULES).kind == "held"
    repeated = [report(4)] * 3
    assert decide(heard(*WELL, *AFTER, BOTH, *repeated), RULES).kind == "held"
    others = [report(i, version="2") for i in range(4, 9)]
    assert decide(heard(*WELL, *AFTER, BOTH, *others), RULES).kind == "held"


def test_a_reminder_that_names_a_feature_with_the_numbers_of_an_old_window_breaks_nothing_anew() -> None:
    reminder = alert(8, {"distance": UNIT, "temp": SHIFT}, "remind")
    stale = tuple(
        msgspec.structs.replace(one, seen=NOON + 3 * HOUR) if one.feature == "distance" else one
        for one in reminder.features
    )
    whole = [report(i, {"temp": SHIFT}) for i in (4, 5, 6, 7, 8)]
    known = heard(*WELL, *AFTER, BOTH, *whole, msgspec.structs.replace(reminder, features=stale))
    assert decide(known, RULES).kind == "retrain"
    assert decide(heard(reminder, known=known), RULES).kind == "held"


def test_windows_of_broken_data_are_left_out_of_what_is_learnt_later() -> None:
    records = [*WELL, alert(3, {"distance": UNIT}), alert(7, {}, "resolve")]
    later = [performance(i, "degraded") for i in (9, 10)]
    decision = decide(heard(*records, *later), RULES)
    assert decision.kind == "retrain"
    assert decision.leave_out == (Span(NOON + 2 * HOUR, NOON + 7 * HOUR),)


PROMOTED = event("promoted", previous="1")
LATER = [performance(i, "degraded", version="2") for i in (20, 21)]
"""Of the new champion."""


def test_what_was_broken_of_a_former_champion_is_left_out_for_good() -> None:
    first = [*WELL, alert(3, {"distance": UNIT}), alert(7, {}, "resolve")]
    decision = decide(heard(*first, PROMOTED, *LATER), RULES)
    assert decision.kind == "retrain"
    assert decision.leave_out == (Span(NOON + 2 * HOUR, NOON + 7 * HOUR),)
    assert decide(heard(PROMOTED, *LATER, *first), RULES) == decision


def test_what_is_broken_of_another_version_holds_nothing_and_is_left_out_as_far_as_it_had_rows() -> None:
    """Nobody will say that it is repaired: the version gets no rows any more, or never had more than a canary's."""
    raised = [alert(3, {"distance": UNIT}), report(4, {"distance": UNIT}), report(5, status="insufficient")]
    decision = decide(heard(*raised, PROMOTED, *LATER), RULES)
    assert (decision.kind, decision.leave_out) == ("retrain", (Span(NOON + 2 * HOUR, NOON + 6 * HOUR),))
    labelled = performance(6)
    assert decide(heard(*raised, labelled, PROMOTED, *LATER), RULES).leave_out[0].end == NOON + 7 * HOUR
    beside = [alert(20, {"distance": UNIT}, version="2")]
    assert decide(heard(*[performance(i, "degraded") for i in range(15, 19)], *beside), RULES).leave_out == (
        Span(NOON + 19 * HOUR, NOON + 21 * HOUR),
    )


def test_thin_windows_that_were_counted_with_the_first_broken_one_are_left_out_with_it() -> None:
    thin = [report(i, status="insufficient", features=()) for i in (3, 4, 5)]
    first = report(6, {"distance": UNIT}, merged_windows=3)
    raised = [alert(7, {"distance": UNIT}), alert(9, {}, "resolve")]
    assert heard(report(2), *thin, first, *raised).left_out == (Span(NOON + 3 * HOUR, NOON + 9 * HOUR),)
    assert heard(*raised, report(2), *thin, first).left_out == (Span(NOON + 3 * HOUR, NOON + 9 * HOUR),)
    alone = msgspec.structs.replace(first, merged_windows=0)
    assert heard(report(2), *thin, alone, *raised).left_out == (Span(NOON + 6 * HOUR, NOON + 9 * HOUR),)


def test_a_champion_that_is_rolled_back_to_while_its_data_is_broken_waits_again() -> None:
    away = heard(alert(3, {"distance": UNIT}), PROMOTED)
    back = heard(event("rolled-back", version="1"), *[performance(i, "degraded") for i in (30, 31)], known=away)
    assert decide(back, RULES).kind == "held"
    assert "the data is broken" in decide(back, RULES).reason


def test_labels_of_windows_that_another_version_says_are_broken_are_not_learnt_so_they_do_not_count() -> None:
    canary = [alert(21, {"distance": UNIT}, version="3"), alert(24, {}, "resolve", version="3")]
    decision = decide(heard(PROMOTED, *LATER, *[performance(i, version="2") for i in (24, 25)], *canary), RULES)
    assert decision.kind == "wait"  # the two windows below the reference were broken


def decided(hours: float, *leave_out: str) -> ModelEvent:
    heard_at = (NOON + hours * HOUR).isoformat()
    return event("retraining-decided", id=f"d{hours}", details={"heard": heard_at, "leave_out": list(leave_out)})


def test_what_a_decision_left_out_is_left_out_of_all_later_ones_though_its_alerts_are_gone() -> None:
    own, persons = "2026-01-01T14:00:00+00:00/2026-01-01T17:00:00+00:00", "2025-12-01T00:00:00Z/2025-12-02T00:00:00Z"
    known = heard(decided(-48, own), decided(-30, persons), PROMOTED, *LATER)
    assert decide(known, RULES).leave_out == (
        Span(NOON - 31.5 * 24 * HOUR, NOON - 30.5 * 24 * HOUR),
        Span(NOON + 2 * HOUR, NOON + 5 * HOUR),
    )


def test_too_few_labelled_predictions_hold_it() -> None:
    few = [performance(i, "degraded", labelled=400, predictions=400) for i in (0, 1)]
    decision = decide(heard(*few), RULES)
    assert (decision.kind, decision.trigger) == ("held", "performance")
    assert decision.reason.endswith("only 800 labelled predictions of 1,000")


def test_labels_of_windows_that_are_not_complete_are_not_learnt_so_they_do_not_count() -> None:
    early = [performance(i, "degraded", labelled=900) for i in (0, 1)]
    decision = decide(heard(*early), RULES)
    assert decision.kind == "held"
    assert decision.reason.endswith(
        "only 0 labelled predictions of 1,000, and 1,800 in windows whose labels are not complete"
    )
    late = [performance(i, "degraded", labelled=900, revision=2, final=True) for i in (0, 1)]
    assert decide(heard(*early, *late), RULES).kind == "retrain"


OLD = [performance(i) for i in range(20)]


def test_drift_retrains_when_enough_labels_are_younger_than_it() -> None:
    begun = heard(*OLD, alert(22, {"temp": SHIFT}))
    decision = decide(begun, RULES)
    assert (decision.kind, decision.trigger) == ("held", "drift")
    assert decision.reason.endswith("only 0 labelled predictions of 900 since it began, at 2026-01-02T09:00:00Z")
    assert decide(heard(performance(20), known=begun), RULES).kind == "held"  # it ends as the drift begins
    assert decide(heard(performance(21), known=begun), RULES).kind == "retrain"


def test_an_incident_that_goes_on_is_as_old_as_its_first_window_and_broken_data_makes_it_no_older() -> None:
    raised = alert(5, {"distance": UNIT}), alert(10, {"temp": SHIFT}), alert(30, {"temp": SHIFT}, "remind")
    assert [one.since for one in heard(*raised).incidents.values()] == [NOON + 9 * HOUR]


def test_a_fall_is_as_old_as_its_first_window_unless_three_windows_in_a_row_did_not_show_it() -> None:
    rules = msgspec.structs.replace(RULES, minimum_moved=4 * 960)
    low = "d..d.d...d.dd"  # the last fall is four windows long, one of which does not show it
    fall = [performance(i, "degraded" if found == "d" else "well") for i, found in enumerate(low)]
    assert decide(heard(*fall), rules).kind == "retrain"
    decision = decide(heard(*fall), msgspec.structs.replace(rules, minimum_moved=5 * 960))
    assert decision.reason.endswith("only 3,840 labelled predictions of 4,800 since it began, at 2026-01-01T21:00:00Z")


def test_by_default_all_that_must_be_new_must_be_younger_than_the_cause() -> None:
    known = heard(*OLD, alert(22, {"temp": SHIFT}), *[performance(i) for i in (21, 22)])
    assert decide(known, Rules(minimum_labelled=2 * 960)).kind == "retrain"
    assert decide(known, Rules(minimum_labelled=2 * 960 + 1)).kind == "held"


def test_of_two_causes_the_one_with_labels_enough_retrains() -> None:
    rules = msgspec.structs.replace(RULES, minimum_moved=3000)
    bad = [performance(i, "degraded") for i in (20, 21)]
    known = heard(*OLD[10:], *bad, alert(19, {"temp": SHIFT}))
    assert (decide(known, rules).kind, decide(known, rules).trigger) == ("retrain", "drift")
    assert decide(heard(*OLD, *bad), rules).trigger == "performance"
    assert decide(heard(*OLD, *bad), rules).kind == "held"


def test_late_labels_of_windows_before_the_last_decision_are_new_where_they_were_not_learnt() -> None:
    early = [performance(i, "degraded", labelled=500) for i in range(4)]
    decided = event("retraining-decided", details={"heard": (NOON + 4 * HOUR).isoformat()})
    learnt = event("collected", details={"work": "w", "last": (NOON + 0.9 * HOUR).isoformat()})
    known = heard(*early, decided, learnt, performance(40, "degraded", labelled=0))
    assert decide(known, RULES).kind == "held"
    come = [performance(i, "degraded", revision=2) for i in range(4)]
    assert decide(heard(*come[:2], known=known), RULES).reason.count("only 960 labelled predictions of 1,000") == 1
    assert decide(heard(*come, known=known), RULES).kind == "retrain"


def test_a_persons_retraining_in_a_replay_does_not_hold_what_came_after_it() -> None:
    years = NOON + 365 * 24 * HOUR  # the clock of the person; the windows are those of the past
    decided = event("retraining-decided", details={"heard": years.isoformat()})
    learnt = event("collected", details={"work": "w", "last": (NOON + 2.9 * HOUR).isoformat()})
    assert decide(heard(*WELL, decided, learnt, performance(4, "degraded")), RULES).kind == "wait"
    bad = [performance(i, "degraded") for i in (4, 5)]
    assert decide(heard(*WELL, decided, learnt, *bad), RULES).kind == "retrain"


def test_a_persons_retraining_in_a_replay_does_not_end_the_cooldown_of_another_decision() -> None:
    bad = [performance(i, "degraded") for i in (4, 5)]
    own, persons = decided(3), decided(365 * 24)
    for decisions in ([own, persons], [persons, own]):
        assert "the last decision was at 2026-01-01T15:00:00Z" in decide(heard(*bad, *decisions), RULES).reason


def test_a_persons_retraining_counts_at_once_though_his_clock_is_ahead_of_the_windows() -> None:
    bad = [performance(i, "degraded") for i in (4, 5)]
    assert "the last decision was at 2026-01-01T18:30:00Z" in decide(heard(*bad, decided(6.5)), RULES).reason


@pytest.mark.parametrize(
    "details", [{"heard": "yesterday"}, {"heard": "2026-01-01"}, {"heard": NOON.isoformat(), "leave_out": ["June"]}]
)
def test_a_step_with_times_that_cannot_be_read_decides_nothing(details: dict[str, Any]) -> None:
    assert heard(event("retraining-decided", details=details)) == CHAMPION
    assert heard(event("collected", details={"work": "w", "last": "yesterday"})) == CHAMPION


def test_what_a_person_collects_for_himself_is_not_learnt() -> None:
    own = event("collected", details={"work": None, "last": (NOON + 99 * HOUR).isoformat()})
    assert heard(own) == CHAMPION


def test_enough_that_is_new_is_cause_enough_where_it_is_asked_for() -> None:
    rules = msgspec.structs.replace(RULES, new_labelled=2 * 960)
    assert decide(heard(*WELL), RULES).kind == "wait"
    decision = decide(heard(*WELL), rules)
    assert (decision.kind, decision.trigger, decision.reason) == ("retrain", "rows", "2,880 new labelled predictions")
    learnt = event("collected", details={"work": "w", "last": (NOON + 1.9 * HOUR).isoformat()})
    assert decide(heard(*WELL, learnt), rules).kind == "wait"
    promoted = heard(learnt, event("promoted", previous="1"))
    later = [performance(i, version="2") for i in (2, 3)]
    assert decide(heard(*later, known=promoted), rules).trigger == "rows"


def test_drift_that_is_too_young_does_not_hold_what_age_asks_for() -> None:
    rules = msgspec.structs.replace(RULES, max_age_days=0.5)
    decision = decide(heard(*OLD, alert(22, {"temp": SHIFT})), rules)
    assert (decision.kind, decision.trigger) == ("retrain", "age")


def test_age_alone_is_cause_enough_where_it_is_asked_for() -> None:
    old = heard(performance(0), performance(24 * 91))
    assert decide(old, RULES).kind == "wait"
    decision = decide(old, msgspec.structs.replace(RULES, max_age_days=90.0))
    assert (decision.kind, decision.trigger) == ("retrain", "age")


def test_a_decision_is_followed_by_a_cooldown_also_over_a_new_champion() -> None:
    bad = [performance(i, "degraded") for i in (3, 4)]
    decided = event("retraining-decided", details={"heard": (NOON + 5 * HOUR).isoformat()})
    again = heard(*bad, decided)
    assert decide(again, RULES).kind == "held"
    promoted = heard(event("promoted", previous="1"), known=again)
    assert (promoted.version, promoted.windows) == ("2", {})
    soon = heard(*[performance(i, "degraded", version="2") for i in (10, 11)], known=promoted)
    assert "the last decision was at" in decide(soon, RULES).reason
    later = heard(*[performance(i, "degraded", version="2") for i in (40, 41)], known=soon)
    assert decide(later, RULES).kind == "retrain"


def test_the_order_between_topics_does_not_matter() -> None:
    alerts = [alert(3, {"distance": UNIT}), alert(7, {}, "resolve")]
    reports = [*WELL, performance(9, "degraded"), performance(10, "degraded")]
    assert decide(heard(*alerts, *reports), RULES) == decide(heard(*reports, *alerts), RULES)
    windows = [report(i, {"distance": UNIT} if i < 5 else None) for i in range(2, 9)]
    assert decide(heard(BOTH, *windows, *WELL), RULES) == decide(heard(*windows, *WELL, BOTH), RULES)


@pytest.mark.parametrize("other", [event("promoted", version="1"), event("gated"), event("promoted", model="other")])
def test_steps_that_do_not_change_the_champion_change_nothing(other: ModelEvent) -> None:
    known = heard(*WELL)
    assert hear_model_event(known, other) == known
