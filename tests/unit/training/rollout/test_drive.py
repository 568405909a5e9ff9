"""A whole rollout, from shadow to champion, cut off at each of its calls: by an outage, and by a crash."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from contracts.events import encode_event
from contracts.times import milliseconds
from contracts.topics import PREDICTIONS
from tests.builders import an_event
from tests.interrupted import Clock, Cuts, FakeEvents, FakeRegistered, Killed, away
from training.rollout.drive import Drive
from training.rollout.policy import Limits, Steps
from training.rollout.wishes import Wishes

STEPS = Steps(shadow_seconds=2, shadow_events=40, shares=(20, 100), seconds=2, events=40, give_up_seconds=600)
LIMIT = 400
"""Looks at the topics, after which a rollout that has not ended never will."""


class Playing:
    """The topics, and an api that answers as the tag says: some events of each version at each look."""

    def __init__(self, registered: FakeRegistered, clock: Clock) -> None:
        self._registered, self._clock, self._looks, self._ids = registered, clock, 0, itertools.count()
        self.seconds: float | None = None
        """Until the next records come; None: as long as a look takes at most."""

    @asynccontextmanager
    async def follow(self, bootstrap: str, prefix: str, beginnings: Any) -> AsyncIterator[Any]:
        yield self

    async def take(self, seconds: float) -> list[Any]:
        self._looks += 1
        assert self._looks < LIMIT, "the rollout does not end"
        self._clock.go_on(seconds if self.seconds is None else self.seconds)
        rollout = self._registered.rollout
        roles = [("1", "champion")] + ([] if rollout is None else [(rollout.version, rollout.stage)])
        return [self._record(version, role) for version, role in roles for _ in range(15)]

    async def caught_up(self) -> bool:
        return True

    def _record(self, version: str, role: Any) -> Any:
        event = an_event(sequence=next(self._ids), model_version=version, role=role)
        return PREDICTIONS, SimpleNamespace(value=encode_event(event), timestamp=milliseconds(self._clock.now()))


class World:
    def __init__(self, cuts: Cuts, approve: Any = "auto") -> None:
        self.cuts, self.clock, self.said, self.approve = cuts, Clock(), list[str](), approve
        self.registered, self.events = FakeRegistered(cuts), FakeEvents(cuts, self.clock)
        self.playing = Playing(self.registered, self.clock)

    def drive(self, broken: Callable[[], str] = lambda: "") -> Drive:
        ports: Any = self.registered, self.events
        wishes = Wishes(STEPS, Limits(), "watch", self.approve, self.said.append)
        return Drive(*ports, self.clock.tools, wishes, broken, self.playing.follow, away_seconds=0)


WHOLE = ["rollout-changed"] * 3 + ["claimed", "promoted"]
PLACES = [
    *(("tag", number) for number in (1, 2, 3)),
    *(("event:rollout-changed", number) for number in (1, 2, 3)),
    *((name, 1) for name in ("event:claimed", "alias", "event:promoted")),
]


async def test_a_challenger_that_is_no_worse_becomes_the_champion_step_by_step() -> None:
    world = World(Cuts())
    assert (await world.drive().run("2")).how == "promoted"
    assert (world.registered.champion, world.registered.tag, world.events.kinds) == ("2", "", WHOLE)
    assert world.cuts.calls["tag"] == 4  # the last one takes it away
    words = ["in shadow", "answers 20 % of the entities", "answers 100 % of the entities"]
    assert [line.split(":")[0] for line in world.said] == [f"flights/2 {one}" for one in words]


@pytest.mark.parametrize("effect", [False, True])
@pytest.mark.parametrize("place", PLACES[1:])  # an outage at the first tag: it has not begun
async def test_an_outage_at_any_call_does_not_end_a_rollout(place: tuple[str, int], effect: bool) -> None:
    world = World(Cuts({place: (away(place[0]), effect)}))
    ended = await world.drive().run("2")
    assert (ended.how, world.registered.champion, world.registered.tag) == ("promoted", "2", "")
    assert world.cuts.made == 1
    assert world.events.kinds.count("rollout-changed") == 3
    assert "rollout-ended" not in world.events.kinds


@pytest.mark.parametrize("effect", [False, True])
@pytest.mark.parametrize("place", PLACES)
async def test_killed_at_any_call_it_is_gone_on_with_to_the_same_end(place: tuple[str, int], effect: bool) -> None:
    world = World(Cuts({place: (Killed, effect)}))
    with pytest.raises(Killed):
        await world.drive().run("2")
    if world.registered.rollout is not None or world.registered.champion != "2":
        assert (await world.drive().run("2")).how == "promoted"
    assert (world.registered.champion, world.registered.tag) == ("2", "")
    told = [step.event.id for step in world.events.read("flights") if step.event.kind == "rollout-changed"]
    assert len(told) == len(set(told)) == 3
    assert "rollout-ended" not in world.events.kinds


async def test_while_the_data_is_broken_it_goes_no_further() -> None:
    world, at = World(Cuts()), list[Any]()

    def broken() -> str:
        at.append(world.registered.rollout)
        return "distance: in miles" if 3 < len(at) < 40 else ""

    assert (await world.drive(broken).run("2")).how == "promoted"
    assert len(set(map(str, at[3:40]))) == 1
    assert at[3] is not None
    assert world.said.count("flights/2 goes no further until the data is repaired: distance: in miles") == 1


@pytest.mark.parametrize("waits_for", ["a person", "another's claim"])
async def test_while_somebody_is_waited_for_mlflow_is_not_asked_at_the_pace_of_the_traffic(waits_for: str) -> None:
    person = waits_for == "a person"
    world, began = World(Cuts(), "manual" if person else "auto"), list[tuple[float, int]]()
    if not person:
        world.events.say("claimed", "2")

    def looked() -> str:
        if len(world.said) >= (3 if person else 4) and not began:  # it waits from now on, and records come all the time
            began.append((world.clock.seconds(), world.cuts.calls["marks"]))
            world.playing.seconds = 0.02
        if began and world.clock.seconds() - began[0][0] > 6:
            world.registered.aliases["champion"] = "2"
        return ""

    assert (await world.drive(looked).run("2")).how == "promoted"
    assert world.cuts.calls["marks"] - began[0][1] <= 5
