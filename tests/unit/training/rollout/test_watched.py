"""What counts as evidence during a step: the two versions' own events in their roles, since the step began."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from contracts.model_events import ModelEvent
from contracts.performance import Measured, PerformanceReport, performance_id
from contracts.rollout import Rollout
from tests.builders import NOON, NOON_MS, an_event
from training.rollout.watched import Watched

SHADOW = Rollout(version="2", stage="shadow", since=NOON)
CANARY = Rollout(version="2", stage="canary", since=NOON, share=5)
HOUR = timedelta(hours=1)


def watched(rollout: Rollout, *events: tuple[str, str, int]) -> Watched:
    """events: version, role and when the broker took it, in milliseconds after the step began."""
    found = Watched("flights", "1", rollout)
    for version, role, after in events:
        found.add_event(an_event(model_version=version, role=role), NOON_MS + after)
    return found


@pytest.mark.parametrize(("rollout", "role"), [(SHADOW, "shadow"), (CANARY, "canary")])
def test_each_version_is_seen_in_its_role(rollout: Rollout, role: str) -> None:
    others = {"shadow", "canary", "champion"} - {role}
    found = watched(rollout, ("1", "champion", 0), ("2", role, 1), ("2", role, 2), *(("2", one, 3) for one in others))
    assert (found.champion.events, found.challenger.events) == (1, 2)


def test_what_came_before_the_step_or_is_of_others_does_not_count() -> None:
    found = watched(SHADOW, ("1", "champion", -1), ("2", "shadow", -1), ("3", "shadow", 1))
    found.add_event(an_event(model="other", model_version="1"), NOON_MS)
    assert (found.champion.events, found.challenger.events) == (0, 0)


def test_another_step_begins_anew() -> None:
    found = watched(SHADOW, ("1", "champion", 0), ("2", "shadow", 1))
    found.begin(Rollout(version="2", stage="canary", since=NOON + HOUR, share=5))
    found.add_event(an_event(model_version="2", role="canary"), NOON_MS + 1)
    assert (found.champion.events, found.challenger.events) == (0, 0)


def test_a_trouble_that_is_said_twice_or_is_of_another_stage_counts_once_or_not() -> None:
    found = watched(CANARY)
    for id_, role in (("a", "canary"), ("a", "canary"), ("b", "shadow"), ("c", "canary")):
        trouble = ModelEvent(
            id=id_,
            kind="rollout-trouble",
            at=NOON,
            model="flights",
            version="2",
            by="api",
            reason="",
            details={"failures": 3.0, "role": role},
        )
        found.add_model_event(trouble, NOON_MS + 1)
    assert found.challenger.failures == 6


@pytest.mark.parametrize(
    ("changes", "failures"),
    [
        ({}, 7),
        ({"version": "3"}, 0),
        ({"model": "other"}, 0),
        ({"kind": "gated"}, 0),
        ({"details": {}}, 0),
        ({"details": {"failures": "many"}}, 0),
    ],
)
def test_the_apis_word_of_failures_counts(changes: dict[str, Any], failures: int) -> None:
    fields: dict[str, Any] = {
        "id": "e",
        "kind": "rollout-trouble",
        "at": NOON,
        "model": "flights",
        "version": "2",
        "by": "api",
        "reason": "",
        "details": {"failures": 7.0, "role": "shadow"},
    }
    found = watched(SHADOW)
    found.add_model_event(ModelEvent(**{**fields, **changes}), NOON_MS + 1)
    assert found.challenger.failures == failures


def test_a_version_that_the_api_cannot_serve_is_refused() -> None:
    found = watched(SHADOW)
    trouble = ModelEvent(
        id="e",
        kind="rollout-trouble",
        at=NOON,
        model="flights",
        version="2",
        by="api",
        reason="flights/2 has no baseline",
        details={"failures": 0.0, "loaded": False},
    )
    found.add_model_event(trouble, NOON_MS + 1)
    assert found.challenger.refused == "flights/2 has no baseline"


def report(version: str, window: int, auc: float, *, revision: int = 1, status: Any = "well") -> PerformanceReport:
    start = NOON + window * HOUR
    return PerformanceReport(
        id=performance_id("flights", version, start, revision),
        model="flights",
        version=version,
        baseline="0" * 16,
        window_start=start,
        window_end=start + HOUR,
        revision=revision,
        labelled=500,
        predictions=1000,
        positives=100,
        status=status,
        metrics=(Measured(name="auc", value=auc, better="higher", low=auc - 0.02, high=auc + 0.02),),
    )


def test_both_are_compared_in_the_newest_window_that_both_have_labels_enough_in() -> None:
    found = watched(CANARY)
    for one in (
        report("1", 0, 0.70),
        report("2", 0, 0.71),
        report("1", 1, 0.72),
        report("2", 1, 0.60, revision=1),
        report("2", 1, 0.74, revision=2),
        report("2", 1, 0.50, revision=1),
        report("1", 2, 0.75),
        report("2", 2, 0.20, status="insufficient"),
        report("3", 3, 0.10),
    ):
        found.add_performance(one)
    (compared,) = found.performance
    assert (compared.name, compared.challenger, compared.champion) == ("auc", 0.74, 0.72)
    found.begin(SHADOW)
    assert found.performance == ()
