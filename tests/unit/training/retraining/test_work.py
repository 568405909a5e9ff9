"""A retraining, cut off at each of its calls: gone on with to the same end, once for all, or given up and said so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from contracts.rollout import Rollout
from tests.builders import NOON
from tests.interrupted import Cuts, Killed
from tests.retrainings import World
from training.errors import CollectError, PublishError, RegistryError, TrainingError
from training.retraining.shelf import Outcome
from training.retraining.work import ATTEMPTS, go_on

WHOLE = ["retraining-decided", "collected", "retraining-ended"]
CALLS = {
    "put": 8,
    "collect": 1,
    "train": 1,
    "gate": 1,
    "rollout": 1,
    "finish": 1,
    **dict.fromkeys((f"event:{kind}" for kind in WHOLE), 1),
}
PLACES = [(name, number) for name, most in CALLS.items() for number in range(1, most + 1)]


def test_a_whole_retraining_makes_these_calls(tmp_path: Path) -> None:
    world = World(tmp_path)
    outcome = go_on(world.hands, world.decided())
    assert outcome == Outcome("promoted", "nothing worse than the champion")
    assert world.events.kinds == WHOLE
    assert {name: world.cuts.calls[name] for name in CALLS} == CALLS
    assert world.events.last.details["outcome"] == "promoted"


@pytest.mark.parametrize("effect", [False, True])
@pytest.mark.parametrize("place", PLACES)
def test_killed_at_any_call_it_comes_to_the_same_end(place: tuple[str, int], effect: bool, tmp_path: Path) -> None:
    world = World(tmp_path, Cuts({place: (Killed, effect)}))
    work = world.decided()
    with pytest.raises(Killed):
        go_on(world.hands, work)
    if not world.events.kinds:  # killed before anybody was told: `watch` decides again
        go_on(world.hands, work)
    world.restarted()
    assert world.shelf.unfinished("flights") == []
    assert world.events.kinds == WHOLE
    assert world.events.last.details["outcome"] == "promoted"
    assert world.registered.champion == str(world.hands.trained)
    assert world.hands.trained <= 3


@pytest.mark.parametrize("step", ["collect", "train", "gate"])
def test_a_step_that_kills_its_process_each_time_is_given_up_and_said(step: str, tmp_path: Path) -> None:
    world = World(tmp_path, Cuts({(step, number): (Killed, step == "train") for number in range(1, 99)}))
    work = world.decided()
    for _ in range(ATTEMPTS):
        with pytest.raises(Killed):
            go_on(world.hands, work)
    outcome = world.restarted()
    assert outcome is not None
    assert outcome.how == "abandoned"
    assert f"{step} was begun {ATTEMPTS} times" in world.events.last.reason
    assert (world.events.last.kind, world.events.last.details["outcome"]) == ("retraining-ended", "abandoned")
    assert world.cuts.calls[step] == ATTEMPTS
    assert f"abandoned: {step} was begun" in world.said[-1]
    assert world.restarted() is None


@pytest.mark.parametrize("outages", [1, 3])
@pytest.mark.parametrize("step", ["collect", "train", "gate"])
def test_an_outage_uncounts_no_attempt_that_killed_its_process(step: str, outages: int, tmp_path: Path) -> None:
    cuts = Cuts({(step, number): (Killed, False) for number in range(1, 99)})
    world = World(tmp_path, cuts)
    work = world.decided()
    for attempt in range(ATTEMPTS):
        with pytest.raises(Killed):
            go_on(world.hands, work)
        # MLflow, on the same machine, is not up yet; once it goes away within the step
        within = [(step, cuts.calls[step] + 1)] if attempt == 0 else []
        for place in [("marks", cuts.calls["marks"] + 1 + number) for number in range(outages)] + within:
            cuts.cuts[place] = RegistryError, False
            with pytest.raises(RegistryError):
                go_on(world.hands, work)
    outcome = world.restarted()
    assert outcome is not None
    assert (outcome.how, cuts.calls[step]) == ("abandoned", ATTEMPTS + 1)


def test_a_bug_in_a_step_ends_it_with_the_reason(tmp_path: Path) -> None:
    world = World(tmp_path, Cuts({("train", 1): (ZeroDivisionError, False)}))
    outcome = go_on(world.hands, world.decided())
    assert outcome is not None
    assert outcome.how == "failed"
    assert "ZeroDivisionError in interrupted.py, line " in outcome.reason
    assert world.events.last.reason == outcome.reason
    assert world.restarted() is None
    assert world.registered.champion == "1"


def test_what_cannot_be_done_ends_it_with_the_reason(tmp_path: Path) -> None:
    world = World(tmp_path, Cuts({("collect", 1): (CollectError, False)}))
    assert go_on(world.hands, world.decided()) == Outcome("failed", "collect is away")


def test_a_rollout_that_fails_leaves_no_canary_behind(tmp_path: Path) -> None:
    world = World(tmp_path, Cuts({("rollout", 1): (KeyError, False)}))
    outcome = go_on(world.hands, world.decided())
    assert outcome is not None
    assert world.hands.taken_out == [("2", outcome.reason)]


@pytest.mark.parametrize("step", ["collect", "train", "gate", "rollout"])
def test_an_outage_is_gone_on_with_as_often_as_it_takes(step: str, tmp_path: Path) -> None:
    errors: list[type[Exception]] = [RegistryError, PublishError]
    cuts = {(step, number): (errors[number % 2], False) for number in range(1, 2 * ATTEMPTS + 1)}
    world = World(tmp_path, Cuts(cuts))
    work = world.decided()
    for _ in cuts:
        with pytest.raises((RegistryError, PublishError)):
            go_on(world.hands, work)
    assert go_on(world.hands, work) == Outcome("promoted", "nothing worse than the champion")
    assert world.events.kinds == WHOLE


def test_gates_that_object_end_it_before_any_user_sees_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.registered.gates = "failed"
    outcome = go_on(world.hands, world.decided())
    assert outcome is not None
    assert (outcome.how, world.cuts.calls["rollout"]) == ("refused", 0)


def test_another_champion_after_a_crash_means_it_is_abandoned(tmp_path: Path) -> None:
    world = World(tmp_path, Cuts({("rollout", 1): (Killed, False)}))
    with pytest.raises(Killed):
        go_on(world.hands, world.decided())
    world.registered.aliases["champion"] = "9"
    reason = "the champion is 9 now, it was 1"
    assert world.restarted() == Outcome("abandoned", reason)
    assert world.hands.taken_out == [("2", reason)]


@pytest.mark.parametrize(
    ("kinds", "on_its_way", "how", "rollouts"),
    [
        (["rollout-changed", "rollout-ended"], False, "ended", 1),
        (["rollout-changed"], False, "promoted", 2),  # the drive says that it is out, and how (tested there)
        (["rollout-changed"], True, "promoted", 2),
        ([], False, "promoted", 2),
    ],
)
def test_a_rollout_that_was_taken_out_while_nobody_was_at_it_is_not_begun_anew(
    kinds: list[Any], on_its_way: bool, how: str, rollouts: int, tmp_path: Path
) -> None:
    world = World(tmp_path, Cuts({("rollout", 1): (Killed, False)}))
    with pytest.raises(Killed):
        go_on(world.hands, world.decided())
    for kind in kinds:
        world.events.say(kind, "2")
    if on_its_way:
        world.registered.on_its_way(Rollout(version="2", stage="shadow", since=NOON))
    outcome = world.restarted()
    assert outcome is not None
    assert (outcome.how, world.cuts.calls["rollout"]) == (how, rollouts)


@pytest.mark.parametrize("on_its_way", [False, True])  # True: killed before the promotion could tidy up
@pytest.mark.parametrize("gated", [False, True])
def test_a_version_that_was_promoted_and_rolled_back_meanwhile_is_not_rolled_out_again(
    gated: bool, on_its_way: bool, tmp_path: Path
) -> None:
    world = World(tmp_path, Cuts({("rollout" if gated else "gate", 1): (Killed, False)}))
    with pytest.raises(Killed):
        go_on(world.hands, world.decided())
    rollouts = world.cuts.calls["rollout"]
    world.events.say("promoted", "2")
    world.events.say("rolled-back", "1")
    if on_its_way:
        world.registered.on_its_way(Rollout(version="2", stage="canary", since=NOON, share=100))
    reason = "ann made 2 the champion, and 1 is it again"
    assert world.restarted() == Outcome("abandoned", reason)
    assert world.cuts.calls["rollout"] == rollouts
    assert world.hands.taken_out == [("2", reason)]


def test_a_rollout_tag_that_nobody_can_read_ends_it_and_is_said(tmp_path: Path) -> None:
    world = World(tmp_path, Cuts({("rollout", 1): (Killed, False)}))
    with pytest.raises(Killed):
        go_on(world.hands, world.decided())
    world.registered.tag = "version 2, please"
    outcome = world.restarted()
    assert outcome is not None
    assert outcome.how == "failed"
    assert "tag tidemark.rollout: not a rollout: " in world.events.last.reason
    assert "`python -m training rollout VERSION --end --reason TEXT` takes it away" in world.events.last.reason
    assert world.restarted() is None


def test_of_two_that_decide_alike_one_is_at_it_and_the_other_changes_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    others: list[Outcome | None] = []
    world.hands.meanwhile = lambda: others.append(go_on(world.hands, world.decided()))
    work = world.decided()
    assert go_on(world.hands, work) == Outcome("promoted", "nothing worse than the champion")
    assert others == [None]
    assert (world.cuts.calls["collect"], world.cuts.calls["train"]) == (1, 1)
    assert go_on(world.hands, work) is None
    assert world.said[-1] == f"retraining {work.id}: another process has ended it"
    assert world.events.kinds == WHOLE


def test_what_another_process_did_meanwhile_is_not_done_again(tmp_path: Path) -> None:
    world = World(tmp_path, Cuts({("gate", 1): (Killed, False)}))
    stale = world.decided()
    with pytest.raises(Killed):
        go_on(world.hands, stale)
    assert go_on(world.hands, stale) == Outcome("promoted", "nothing worse than the champion")
    assert (world.cuts.calls["collect"], world.cuts.calls["train"]) == (1, 1)


def test_what_is_wrong_with_the_data_is_told_to_the_rollout(tmp_path: Path) -> None:
    world = World(tmp_path)
    go_on(world.hands, world.decided(), lambda: "distance: in miles")
    assert world.hands.broken == "distance: in miles"


def test_a_disk_that_is_full_stops_it_with_one_line_and_it_goes_on_later(tmp_path: Path) -> None:
    world = World(tmp_path, Cuts({("put", number): (TrainingError, False) for number in (4, 5)}))
    work = world.decided()
    with pytest.raises(TrainingError):
        go_on(world.hands, work)
    left = world.shelf.read(work.id)
    assert left is not None
    assert left == replace(work, data="d" * 64, first=NOON, step="collect", attempts=1)
    assert world.restarted() == Outcome("promoted", "nothing worse than the champion")
