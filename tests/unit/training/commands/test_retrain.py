"""`python -m training retrain`: what it ends with, what it goes on with, and what a person is told who stops it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from contracts.rollout import Rollout
from tests.builders import NOON
from tests.heard import HOUR
from tests.interrupted import Cuts, Killed
from tests.retrainings import World
from training.__main__ import app
from training.commands.watch import retrained
from training.data.span import Span
from training.errors import PromotionError, TrainingError
from training.retraining.work import go_on

LEAVE_OUT = (Span(NOON, NOON + HOUR),)
OTHERS = (*LEAVE_OUT, Span(NOON + 5 * HOUR, NOON + 6 * HOUR))
STEPS = ["collect", "train", "gate", "rollout"]


def asked(world: World, reason: str = "a new season", leave_out: tuple[Span, ...] = LEAVE_OUT) -> int:
    """The command at a minute of its own: a new retraining has another id."""
    world.clock.go_on(60)
    return retrained(world.hands, reason, world.clock.now(), leave_out)


def test_status_0_is_a_new_champion_that_learnt_what_was_asked_for(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert asked(world) == 0
    decided = world.events.read("flights")[0].event
    assert (decided.kind, decided.reason, decided.details["trigger"]) == (
        "retraining-decided",
        "a new season",
        "person",
    )
    assert decided.details["leave_out"] == ["2026-01-01T12:00:00+00:00/2026-01-01T13:00:00+00:00"]
    assert world.registered.champion == "2"


def test_status_1_is_any_other_end(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.registered.gates = "failed"
    assert asked(world) == 1
    assert world.events.last.details["outcome"] == "refused"


@pytest.mark.parametrize("step", STEPS)
def test_the_same_command_goes_on_with_what_it_could_not_end(step: str, tmp_path: Path) -> None:
    world = World(tmp_path, Cuts({(step, 1): (Killed, False)}))
    with pytest.raises(Killed):
        asked(world)
    if step == "rollout":
        world.registered.on_its_way(Rollout(version="2", stage="canary", since=NOON, share=5))
    assert asked(world) == 0
    assert any(line.endswith("was cut short: it goes on") for line in world.said)
    assert world.events.kinds == ["retraining-decided", "collected", "retraining-ended"]
    assert world.cuts.calls[step] == 2
    assert sum(world.cuts.calls[each] for each in STEPS) == 5


def test_what_watch_has_gone_on_with_meanwhile_is_the_same_though_it_leaves_out_more_now(tmp_path: Path) -> None:
    world = World(tmp_path, Cuts({("collect", 1): (Killed, False), ("collect", 2): (Killed, False)}))
    with pytest.raises(Killed):
        asked(world)
    [left] = world.shelf.unfinished("flights")
    with pytest.raises(Killed):
        go_on(world.hands, replace(left, leave_out=OTHERS))
    assert asked(world) == 0
    assert world.cuts.calls["train"] == 1


@pytest.mark.parametrize(("reason", "leave_out"), [("another reason", LEAVE_OUT), ("a new season", OTHERS)])
def test_another_command_is_refused_with_what_is_left_and_how_to_give_it_up(
    reason: str, leave_out: tuple[Span, ...], tmp_path: Path
) -> None:
    world = World(tmp_path, Cuts({("train", 1): (Killed, False)}))
    with pytest.raises(Killed):
        asked(world)
    [left] = world.shelf.unfinished("flights")
    with pytest.raises(TrainingError) as refused:
        asked(world, reason, leave_out)
    assert str(refused.value) == (
        f"retraining {left.id} (a new season) has not ended: `python -m training watch` goes on with it, and so does "
        f"the same `retrain`; to give it up, remove {tmp_path / left.id}"
    )
    assert world.shelf.unfinished("flights") == [left]
    assert world.events.kinds == ["retraining-decided", "collected"]


def test_beside_a_retraining_of_watch_none_is_begun(tmp_path: Path) -> None:
    world = World(tmp_path)
    work = world.decided()
    with world.shelf.held(work.id):
        world.shelf.put(work)
    with pytest.raises(
        TrainingError, match=r"\(the season\) has not ended: `python -m training watch` goes on with it; "
    ):
        asked(world)
    assert (world.shelf.unfinished("flights"), world.events.kinds) == ([work], [])


@pytest.mark.parametrize("step", STEPS)
def test_ctrl_c_says_what_stays_and_how_to_give_it_up(step: str, tmp_path: Path) -> None:
    world = World(tmp_path, Cuts({(step, 1): (KeyboardInterrupt, False)}))
    assert asked(world) == 130
    [left] = world.shelf.unfinished("flights")
    give_up = f"remove {tmp_path / left.id}"
    if step == "rollout":
        give_up = "`python -m training rollout 2 --end --reason TEXT`"
    assert world.said[-1] == (
        f"stopped; retraining {left.id} has not ended: `python -m training watch` goes on with it, and so does the "
        f"same `retrain`; to give it up, {give_up}"
    )
    assert asked(world) == 0


def test_what_a_person_gives_up_in_its_rollout_is_ended_by_the_same_command(tmp_path: Path) -> None:
    world = World(tmp_path, Cuts({("rollout", 1): (KeyboardInterrupt, False)}))
    assert asked(world) == 130
    world.events.say("rollout-changed", "2")
    world.events.say("rollout-ended", "2")
    assert asked(world) == 1
    assert (world.events.last.kind, world.events.last.details["outcome"]) == ("retraining-ended", "ended")


@pytest.mark.parametrize(
    ("champion", "tag", "says"),
    [
        (None, "", "flights has no champion: `python -m training promote VERSION`"),
        ("1", "version 2, please", "tag tidemark.rollout: not a rollout"),
        ("1", '{"version": "5", "stage": "shadow", "since": "2026-01-01T12:00:00Z"}', "version 5 of flights is on its"),
    ],
)
def test_what_could_not_be_rolled_out_is_not_begun(champion: str | None, tag: str, says: str, tmp_path: Path) -> None:
    world = World(tmp_path)
    world.registered.aliases = {} if champion is None else {"champion": champion}
    world.registered.tag = tag
    with pytest.raises(PromotionError, match=re.escape(says)):
        asked(world)
    assert (world.shelf.unfinished("flights"), world.events.kinds) == ([], [])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--leave-out", "2026-01-01"], "2026-01-01"),
        (["--config", "nowhere.yaml"], "nowhere.yaml"),
        (["--loop", "nowhere.yaml"], "nowhere.yaml"),
        (["--gates", "nowhere.yaml"], "nowhere.yaml"),
        ([], "set TRAINING_BOOTSTRAP=host:port"),
    ],
)
def test_what_is_wrong_is_one_line_before_anything_is_begun(options: list[str], says: str, tmp_path: Path) -> None:
    config = tmp_path / "training.yaml"
    config.write_text("model: flights\ndata: data\n")
    environment = {"TRAINING_BOOTSTRAP": "", "TRAINING_WORK": str(tmp_path / "work")}
    command = ["retrain", "--reason", "a new season", "--config", str(config), *options]
    result = CliRunner().invoke(app, command, env=environment)
    assert result.exit_code == 2, result.output
    [line] = result.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert says in line
    assert not (tmp_path / "work").exists()
