"""Hands: what nobody drives any more is taken out, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.rollout import Rollout
from tests.builders import NOON
from tests.interrupted import Cuts
from tests.retrainings import World
from training.errors import PublishError, RegistryError

CANARY = Rollout(version="2", stage="canary", since=NOON, share=5)


def test_a_version_that_is_on_its_way_is_taken_out_with_the_reason(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.registered.on_its_way(CANARY)
    world.real_hands().take_out("2", "its retraining failed")
    assert world.registered.tag == ""
    assert (world.events.last.kind, world.events.last.reason) == ("rollout-ended", "its retraining failed")


@pytest.mark.parametrize("on_its_way", [None, Rollout(version="7", stage="shadow", since=NOON)])
def test_a_version_that_is_not_on_its_way_leaves_everything_as_it_is(
    on_its_way: Rollout | None, tmp_path: Path
) -> None:
    world = World(tmp_path)
    if on_its_way is not None:
        world.registered.on_its_way(on_its_way)
    world.real_hands().take_out("2", "its retraining failed")
    assert (world.registered.rollout, world.events.kinds) == (on_its_way, [])


def test_a_tag_that_nobody_can_read_is_left_to_a_person(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.registered.tag = "version 2, please"
    world.real_hands().take_out("2", "its retraining failed")
    assert (world.registered.tag, world.events.kinds) == ("version 2, please", [])


@pytest.mark.parametrize(("place", "error"), [("marks", RegistryError), ("event:rollout-ended", PublishError)])
def test_what_is_away_is_no_end_and_the_next_try_takes_it_out(
    place: str, error: type[Exception], tmp_path: Path
) -> None:
    world = World(tmp_path, Cuts({(place, 1): (error, False)}))
    world.registered.on_its_way(CANARY)
    world.events.say("rollout-changed", "2")
    with pytest.raises(error):
        world.real_hands().take_out("2", "its retraining failed")
    world.real_hands().take_out("2", "its retraining failed")
    assert world.registered.tag == ""
    assert world.events.last.kind == "rollout-ended"
