"""Who may move the champion, whom a roll-back goes to, and what the history says: laws of the pure parts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.model_events import ModelEvent
from tests.builders import NOON
from training.gate import GateReport
from training.gates.evidence import Finding
from training.promotion.claims import CLAIM, CLAIM_SECONDS, ended_last, holder, unfinished
from training.promotion.history import former, history_lines, pile, shown
from training.promotion.objection import objection
from training.topics.steps import Step


def step(
    kind: str, version: str, at: float = 0, *, previous: str | None = None, by: str = "ann", **details: Any
) -> Step:
    when = NOON + timedelta(seconds=at)
    event = ModelEvent(
        id=f"{kind}-{version}-{by}-{at:g}",
        kind=kind,  # type: ignore[arg-type]
        at=when,
        model="flights",
        version=version,
        by=by,
        reason="a test",
        previous=previous,
        details=details,
    )
    return Step(event, when)


def ended(claim: Step, at: float, kind: str = "promoted") -> Step:
    event = claim.event
    return step(kind, event.version, at, previous=event.previous, by=event.by, **{CLAIM: event.id})


ANN, BOB = step("claimed", "2", 0, by="ann", previous="1"), step("claimed", "3", 2, by="bob", previous="1")


def test_the_first_claim_on_the_topic_holds_until_its_owner_ends_it() -> None:
    assert holder([]) is None
    assert holder([ANN]) == ANN
    assert holder([ANN, BOB]) == ANN
    assert holder([ANN, BOB, ended(ANN, 3)]) is None
    cid = step("claimed", "4", 9, by="cid")
    assert holder([ANN, BOB, ended(ANN, 3), cid]) == cid
    assert holder([ANN, ended(ANN, 1, "withdrawn"), BOB]) == BOB


def test_a_loser_that_takes_its_claim_back_does_not_end_the_winners() -> None:
    assert holder([ANN, BOB, ended(BOB, 3, "withdrawn")]) == ANN


def test_a_loser_that_reads_after_all_is_over_learns_whose_claim_held() -> None:
    assert ended_last([ANN, BOB]) is None
    assert ended_last([ANN, BOB, ended(ANN, 3)]) == ended(ANN, 3)
    assert ended_last([ANN, BOB, ended(ANN, 3), ended(BOB, 4, "withdrawn")]) == ended(ANN, 3)


def test_a_claim_of_the_dead_holds_for_a_minute_of_the_brokers_time() -> None:
    just = step("claimed", "4", CLAIM_SECONDS, by="cid")
    after = step("claimed", "4", CLAIM_SECONDS + 0.001, by="cid")
    assert holder([ANN, just]) == ANN
    assert holder([ANN, after]) == after
    assert holder([ANN, BOB, after]) == after  # Bob lost when Ann's claim held, whatever became of hers


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 100), st.booleans()), max_size=12))
def test_every_reader_of_the_same_topic_finds_the_same_winner_and_never_two(
    drawn: list[tuple[int, float, bool]],
) -> None:
    steps: list[Step] = []
    winners: list[str] = []
    now = 0.0
    for number, (who, later, ends) in enumerate(drawn):
        now += later
        claim = step("claimed", str(number), now, by=f"p{who}-{number}")
        held = holder(steps)
        steps.append(claim)
        first = holder(steps)
        assert first is not None
        if first == claim:
            assert held is None or claim.at - held.at > timedelta(seconds=CLAIM_SECONDS)
            winners.append(claim.event.id)
            if ends:
                steps.append(ended(claim, now))
    assert len(winners) == len(set(winners))
    assert all(one.event.kind == "claimed" for one in unfinished(steps))


def changes(*moves: tuple[str, str, str | None]) -> list[Step]:
    return [step(kind, version, at, previous=previous) for at, (kind, version, previous) in enumerate(moves)]


def test_a_roll_back_takes_versions_off_the_pile_that_promotions_put_on_it() -> None:
    steps = changes(("promoted", "2", "1"), ("promoted", "3", "2"))
    assert pile(steps) == ["1", "2", "3"]
    assert former(steps, "3") == ("2", "")
    steps += changes(("rolled-back", "2", "3"))
    assert former(steps, "2") == ("1", "")
    steps += changes(("rolled-back", "1", "2"))
    assert pile(steps) == ["1"]
    assert former(steps, "1") is None
    steps += changes(("promoted", "4", "1"))
    assert former(steps, "4") == ("1", "")


def test_a_version_that_was_champion_twice_is_twice_on_the_pile() -> None:
    steps = changes(("promoted", "1", None), ("promoted", "2", "1"), ("promoted", "1", "2"), ("promoted", "3", "1"))
    went, champion = [], "3"
    while (before := former(steps, champion)) is not None:
        steps += changes(("rolled-back", before.version, champion))
        champion = before.version
        went.append(champion)
    assert went == ["1", "2", "1"]
    named = changes(("promoted", "2", "1"), ("promoted", "1", "2"), ("promoted", "3", "1"), ("rolled-back", "2", "3"))
    assert pile(named) == ["1", "2"]  # --to 2: what was above it is off the pile
    assert pile([*named, *changes(("rolled-back", "2", "2"))]) == ["1", "2"]


def test_the_first_champion_of_all_has_nobody_before_it() -> None:
    assert former(changes(("promoted", "1", None)), "1") is None
    assert former([], None) is None


def test_an_alias_moved_by_hand_is_noticed() -> None:
    steps = changes(("promoted", "2", "1"), ("promoted", "3", "2"))
    moved = former(steps, "2")
    assert moved is not None
    assert (moved.version, moved.remark) == ("1", "the alias was moved by hand from 3 to 2")
    unknown = former(steps, "9")
    assert unknown is not None
    assert (unknown.version, unknown.remark) == ("3", "no step tells how 9 became the champion")
    assert pile([*steps, *changes(("promoted", "5", "9"))]) == ["1", "2", "3", "9", "5"]


def test_a_promoter_that_died_behind_the_alias_is_known_by_its_claim() -> None:
    steps = [*changes(("promoted", "2", "1")), step("claimed", "3", 9, previous="2", by="zed")]
    found = former(steps, "3")
    assert found is not None
    assert (found.version, found.remark) == ("2", "zed made 3 the champion and could not say so")


def a_report(status: str = "passed", champion: str | None = "1", version: str = "2") -> GateReport:
    finding = Finding("recall", "failed" if status == "failed" else "passed", "recall .05")
    return GateReport(
        model="flights",
        version=version,
        champion=champion,
        at=NOON,
        by="ann",
        status=status,  # type: ignore[arg-type]
        findings=(finding,),
    )


@pytest.mark.parametrize(
    ("report", "champion", "says"),
    [
        (None, "1", "has no gate report: run `python -m training gate 2`"),
        (a_report("failed"), "1", "1 of 1 gates failed: recall"),
        (a_report(), "3", "was gated against champion 1, and now it is 3"),
        (a_report(champion=None), "3", "was gated without a champion, and now it is 3"),
        (a_report(), None, "and now there is none"),
        (a_report(version="4"), "1", "is about version 4"),
    ],
)
def test_a_version_whose_gates_say_nothing_for_it_now_may_not_be_promoted(
    report: GateReport | None, champion: str | None, says: str
) -> None:
    assert says in str(objection(report, "2", champion))


def test_a_command_that_is_named_stands_whole_between_its_marks() -> None:
    said = objection(a_report("failed"), "2", "1")
    assert said is not None
    assert said.endswith("or run `python -m training gate 2 --override GATE --reason TEXT`")


def test_a_version_that_passed_or_was_overridden_against_this_champion_may() -> None:
    for report in (a_report(), a_report("overridden")):
        assert objection(report, "2", "1") is None
    assert objection(a_report(champion=None), "2", None) is None


def test_the_history_shows_the_steps_and_what_the_alias_says_besides() -> None:
    steps = [
        step("gated", "2", 0, previous="1"),
        step("claimed", "2", 1, previous="1"),
        step("promoted", "2", 2, previous="1"),
        step("rollout-trouble", "2", 3),
    ]
    lines = history_lines(steps, "2")
    assert [line.split()[2] for line in lines[1:3]] == ["gated", "promoted"]
    assert lines[-2:] == ["champion now: 2", "claimed by ann for version 2 at 12:00:01, not ended yet"]
    assert len(shown(steps, every=True)) == 4
    assert "the last step made 2 the champion: the alias was moved" in history_lines(steps, "7")[-2]
    assert history_lines([], None) == ["no steps yet", "champion now: none"]
