"""The course of a rollout through outages and crashes: no canary without a driver, and no act that nobody was told of.

tag set ──── cut ──── event written      whoever comes next finds the tag as the act was to leave it: writes the event
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from contracts.errors import InvalidMessage
from contracts.rollout import Rollout
from tests.builders import NOON
from tests.interrupted import Clock, Cuts, FakeEvents, FakeRegistered, Killed, away
from training.errors import PromotionError, PublishError, RegistryError, UnknownOutcome
from training.promotion.claims import CLAIM_SECONDS
from training.rollout.acts import Ended
from training.rollout.course import UNTOLD, Course
from training.rollout.policy import Limits, Move, Steps
from training.rollout.watched import Watched
from training.rollout.wishes import Wishes

CANARY = Rollout(version="2", stage="canary", since=NOON, share=5)
LARGER, OUT, LAST, HOLD = (
    Move("canary", "fine", 25),
    Move("end", "cannot be served"),
    Move("promote", "fine"),
    Move("hold", "a while"),
)


@dataclass
class World:
    """MLflow, the topic and the clock; they outlive any course."""

    cuts: Cuts = field(default_factory=Cuts)
    approve: Any = "auto"

    def __post_init__(self) -> None:
        self.clock = Clock()
        self.registered, self.events = FakeRegistered(self.cuts), FakeEvents(self.cuts, self.clock)
        self.said: list[str] = []

    def course(self) -> Course:
        wishes = Wishes(Steps(), Limits(), "watch", self.approve, self.said.append)
        ports: Any = self.registered, self.events
        return Course(*ports, self.clock.tools, wishes)

    def at(self, rollout: Rollout) -> tuple[Course, Watched]:
        """A course whose rollout is here, and was told."""
        self.registered.on_its_way(rollout)
        course = self.course()
        watched = course.found("2")
        assert isinstance(watched, Watched)
        assert course.act(watched, HOLD) is None
        return course, watched


def cut_at(name: str, effect: bool) -> tuple[World, Course, Watched]:
    """A canary at 5 % whose next such call is cut off once, after its effect or before."""
    world = World()
    course, watched = world.at(CANARY)
    world.cuts.cuts[name, world.cuts.calls[name] + 1] = away(name), effect
    return world, course, watched


CALLS = [("tag", False), ("tag", True), ("event", False), ("event", True), ("marks", False)]


@pytest.mark.parametrize(("call", "effect"), CALLS)
def test_a_larger_share_is_told_once_whatever_went_away_meanwhile(call: str, effect: bool) -> None:
    world, course, watched = cut_at("event:rollout-changed" if call == "event" else call, effect)
    with pytest.raises((RegistryError, PublishError)):
        course.act(watched, LARGER)
    assert course.act(watched, LARGER) is None
    assert world.registered.rollout == watched.rollout
    assert watched.rollout.share == 25
    assert world.events.kinds == ["rollout-changed"] * 2
    assert world.events.last.reason == "answers 25 % of the entities: fine"


@pytest.mark.parametrize(("call", "effect"), CALLS)
def test_an_end_is_told_once_with_its_reason_whatever_went_away_meanwhile(call: str, effect: bool) -> None:
    world, course, watched = cut_at("event:rollout-ended" if call == "event" else call, effect)
    with pytest.raises((RegistryError, PublishError)):
        course.act(watched, OUT)
    assert course.act(watched, OUT) == Ended("ended", "cannot be served")
    assert world.registered.tag == ""
    assert world.events.kinds == ["rollout-changed", "rollout-ended"]
    assert world.events.last.reason == "cannot be served"


def test_an_end_that_was_taken_stays_one_although_the_policy_changes_its_mind() -> None:
    _world, course, watched = cut_at("event:rollout-ended", False)
    with pytest.raises(PublishError):
        course.act(watched, OUT)
    assert course.act(watched, HOLD) == Ended("ended", "cannot be served")


@pytest.mark.parametrize("effect", [False, True])
def test_a_rollout_that_another_champion_ended_is_told_once_whatever_went_away(effect: bool) -> None:
    world, course, watched = cut_at("event:rollout-ended", effect)
    world.registered.aliases["champion"] = "7"
    with pytest.raises(PublishError):
        course.act(watched, HOLD)
    ended = course.act(watched, HOLD)
    assert ended is not None
    assert (ended.how, world.registered.tag) == ("overtaken", "")
    assert "the champion is 7 now, it was 1" in world.events.last.reason
    assert world.events.kinds == ["rollout-changed", "rollout-ended"]


@pytest.mark.parametrize("effect", [False, True])
def test_a_beginning_is_told_once_whatever_went_away(effect: bool) -> None:
    world = World(Cuts({("event:rollout-changed", 1): (PublishError, effect)}))
    course = world.course()
    watched = course.found("2")
    assert isinstance(watched, Watched)
    assert world.registered.tag == ""
    course.begin()
    with pytest.raises(PublishError):
        course.act(watched, HOLD)
    assert course.act(watched, HOLD) is None
    assert world.registered.rollout == watched.rollout
    assert world.events.kinds == ["rollout-changed"]
    assert world.events.last.reason == "in shadow: the gates let it through"


@pytest.mark.parametrize(("call", "effect"), CALLS)
@pytest.mark.parametrize("move", [LARGER, OUT])
def test_killed_within_an_act_whoever_comes_next_leaves_nothing_untold(call: str, effect: bool, move: Move) -> None:
    kind = "event:rollout-changed" if move is LARGER else "event:rollout-ended"
    world, course, watched = cut_at(kind if call == "event" else call, effect)
    for place in world.cuts.cuts:
        world.cuts.cuts[place] = Killed, effect
    with pytest.raises(Killed):
        course.act(watched, move)
    second = world.course()
    out = world.registered.tag == ""
    if out and "rollout-ended" in world.events.kinds:  # all was done: nothing is left
        return
    found = second.found("2")
    if out:
        assert found == Ended("ended", UNTOLD)
        assert world.events.last.kind == "rollout-ended"
        return
    assert isinstance(found, Watched)
    assert second.act(found, HOLD) is None
    told = {step.event.id for step in world.events.read("flights") if step.event.kind == "rollout-changed"}
    assert f"rollout/flights/2/{found.rollout.since.isoformat()}" in told


def test_what_was_taken_out_untold_is_begun_anew_only_when_it_is_asked_for_again() -> None:
    world, course, watched = cut_at("event:rollout-ended", False)
    with pytest.raises(PublishError):
        course.act(watched, OUT)
    assert world.course().found("2") == Ended("ended", UNTOLD)
    assert isinstance(world.course().found("2"), Watched)


def test_somebody_else_may_end_or_change_the_rollout() -> None:
    for tag, word in (("", "ended"), (Rollout(version="2", stage="canary", since=NOON, share=9), "changed")):
        world = World()
        course, watched = world.at(CANARY)
        if isinstance(tag, Rollout):
            world.registered.on_its_way(tag)
        else:
            world.registered.tag = tag
        assert course.act(watched, LARGER) == Ended("overtaken", f"somebody else {word} the rollout")
        assert world.events.kinds == ["rollout-changed"]


def test_a_share_that_somebody_else_replaced_while_kafka_was_away_is_not_told() -> None:
    world, course, watched = cut_at("event:rollout-changed", False)
    with pytest.raises(PublishError):
        course.act(watched, LARGER)
    world.registered.tag = ""
    assert course.act(watched, HOLD) == Ended("overtaken", "somebody else ended the rollout")
    assert world.events.kinds == ["rollout-changed"]


def test_mlflow_away_while_the_alias_moves_is_waited_for_and_then_it_is_promoted() -> None:
    world, course, watched = cut_at("alias", False)
    marks = world.cuts.calls["marks"]
    # act looks, promote looks, the check looks; then the alias is cut off, and the look after it too
    world.cuts.cuts["marks", marks + 4] = RegistryError, False
    with pytest.raises(UnknownOutcome):
        course.act(watched, LAST)
    assert course.act(watched, LAST) is None
    assert world.registered.rollout == CANARY
    world.clock.go_on(CLAIM_SECONDS - 5)
    assert course.act(watched, LAST) is None
    assert world.events.kinds.count("claimed") == 2
    world.clock.go_on(CLAIM_SECONDS)
    assert course.act(watched, LAST) == Ended("promoted", "fine")
    assert (world.registered.champion, world.registered.tag) == ("2", "")


def test_an_alias_that_moved_although_mlflow_went_away_is_a_promotion() -> None:
    world, course, watched = cut_at("alias", True)
    world.cuts.cuts["marks", world.cuts.calls["marks"] + 4] = RegistryError, False
    with pytest.raises(UnknownOutcome):
        course.act(watched, LAST)
    assert course.act(watched, LAST) == Ended("promoted", "it became the champion while MLflow or Kafka was away")
    assert world.registered.tag == ""


def test_kafka_away_between_claim_and_read_is_waited_for_and_then_it_is_promoted() -> None:
    world, course, watched = cut_at("read", False)
    world.cuts.cuts["event:withdrawn", 1] = PublishError, False
    with pytest.raises(PublishError, match="could not be taken back"):
        course.act(watched, LAST)
    assert course.act(watched, LAST) is None
    assert world.registered.rollout == CANARY
    world.clock.go_on(CLAIM_SECONDS + 1)
    assert course.act(watched, LAST) == Ended("promoted", "fine")
    assert (world.registered.champion, world.registered.tag) == ("2", "")


def test_a_persons_promotion_of_the_same_version_is_waited_for() -> None:
    world = World()
    course, watched = world.at(CANARY)
    world.events.say("claimed", "2")
    assert course.act(watched, LAST) is None
    assert world.registered.rollout == CANARY
    assert "ann was first" in world.said[-1]
    world.registered.aliases["champion"] = "2"
    assert course.act(watched, LAST) == Ended("promoted", "somebody promoted it")
    assert world.registered.tag == ""
    assert "rollout-ended" not in world.events.kinds


def test_a_person_who_died_with_a_claim_holds_it_up_for_as_long_as_a_claim_holds() -> None:
    world = World()
    course, watched = world.at(CANARY)
    world.events.say("claimed", "2")
    assert course.act(watched, LAST) is None
    world.clock.go_on(CLAIM_SECONDS + 1)
    assert course.act(watched, LAST) == Ended("promoted", "fine")


def test_gates_that_object_end_it() -> None:
    world = World()
    course, watched = world.at(CANARY)
    world.registered.gates = "failed"
    ended = course.act(watched, LAST)
    assert ended is not None
    assert (ended.how, world.registered.champion, world.registered.tag) == ("ended", "1", "")
    assert "1 of 1 gates failed: quality" in world.events.last.reason


def test_with_manual_approval_it_stays_below_100_percent_until_a_person_promotes_it() -> None:
    world = World(approve="manual")
    course, watched = world.at(CANARY)
    for move in (Move("canary", "fine", 100), LAST):
        assert course.act(watched, move) is None
        assert world.registered.rollout == CANARY
    assert "answers 5 % of the entities until a person decides" in world.said[-1]
    world.registered.aliases["champion"] = "2"
    assert course.act(watched, LAST) == Ended("promoted", "somebody promoted it")


def test_an_end_by_hand_that_could_not_be_told_is_told_by_the_same_command() -> None:
    world, _, _ = cut_at("event:rollout-ended", False)
    with pytest.raises(PublishError, match="give the same command again"):
        world.course().end("2", "we changed our minds")
    assert world.registered.tag == ""
    world.course().end("2", "we changed our minds")
    assert (world.events.last.kind, world.events.last.reason) == ("rollout-ended", "we changed our minds")
    with pytest.raises(PromotionError, match="is not on its way"):
        world.course().end("2", "we changed our minds")


def test_a_tag_that_nobody_can_read_is_taken_away_by_a_person_alone_and_what_was_lost_is_told() -> None:
    world = World()
    world.registered.tag = "version 2, please"
    mend = "`python -m training rollout VERSION --end --reason TEXT` takes it away"
    for ask in (lambda: world.course().found("2"), lambda: world.course().end("2", "it failed")):
        with pytest.raises(InvalidMessage, match=f"tag tidemark.rollout: not a rollout: .*; {mend}"):
            ask()
    world.course().end("2", "a slip of the hand", clear=True)
    assert (world.registered.tag, world.events.kinds) == ("", [])
    assert world.said == ["the tag tidemark.rollout of flights was no rollout: it is taken away"]
    world, _, _ = cut_at("marks", False)
    world.cuts.cuts.clear()
    world.registered.tag = "version 2, please"
    world.course().end("2", "a slip of the hand", clear=True)
    assert (world.registered.tag, world.events.last.kind) == ("", "rollout-ended")
    assert world.events.last.reason == "a slip of the hand"


def test_what_may_not_begin_changes_nothing() -> None:
    world = World()
    world.registered.on_its_way(Rollout(version="3", stage="shadow", since=NOON))
    with pytest.raises(PromotionError, match=r"version 3 of flights is on its way \(shadow\)"):
        world.course().found("2")
    for champion, says in ((None, "has no champion"), ("2", "is the champion already")):
        world = World()
        world.registered.aliases = {} if champion is None else {"champion": champion}
        with pytest.raises(PromotionError, match=says):
            world.course().found("2")
    world = World()
    world.registered.gates = "failed"
    with pytest.raises(PromotionError, match="gates failed"):
        world.course().found("2")
    assert (world.registered.tag, world.events.kinds) == ("", [])
