"""When the champion's alias may be moved, and when not any more; without a registry, without Kafka."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from contracts.model_events import ModelEvent
from contracts.rollout import Rollout
from tests.builders import NOON
from tests.interrupted import Clock, Cuts, FakeEvents, FakeRegistered, Killed
from training.errors import PromotionError, RegistryError, UnknownOutcome
from training.promotion.change import Change, Tools
from training.promotion.claims import ACT_SECONDS, CLAIM_SECONDS
from training.promotion.moving import FORMER_TAG, Promotion
from training.registry.records import Version
from training.registry.registered import Marks
from training.topics.steps import Step

REQUEST_SECONDS = 35
"""The longest that a request to MLflow takes: training.registry.store."""


class Office:
    """A registry and a topic with one clock. slow: seconds that each of the registry's answers takes, by its name."""

    model = "flights"

    def __init__(self, **slow: float) -> None:
        self.registry, self._slow = self, slow
        self.now, self.champion, self.moved_at = 0.0, "1", 0.0
        self.tags: dict[str, str] = {}
        self.steps: list[Step] = []
        self.done: list[str] = []

    @property
    def tools(self) -> Tools:
        ids = count(1)
        return Tools(self.moment, lambda: self.now, lambda: str(next(ids)))

    def moment(self) -> datetime:
        return NOON + timedelta(seconds=self.now)

    def find(self, version: str) -> Version:
        return Version("flights", version, "m-1")

    def marks(self) -> Marks:
        self._takes("marks")
        return Marks({"champion": self.champion}, {})

    def set_tags(self, version: Version, tags: dict[str, str]) -> None:
        self._takes("set_tags")
        self.tags |= tags

    def set_alias(self, version: Version, alias: str) -> None:
        self._takes("set_alias")
        self.champion, self.moved_at = version.version, self.now

    def write(self, event: ModelEvent) -> None:
        self.steps.append(Step(event, self.moment()))

    def read(self, model: str) -> list[Step]:
        return list(self.steps)

    def _takes(self, what: str) -> None:
        self.now += self._slow.get(what, 0.0)
        self.done.append(what)


class Leaving(Office):
    """A registry that goes away when it is asked to move the alias. back: and answers again afterwards."""

    def __init__(self, *, moves: bool, back: bool) -> None:
        super().__init__()
        self._moves, self._back, self._away = moves, back, False

    def set_alias(self, version: Version, alias: str) -> None:
        if self._moves:
            super().set_alias(version, alias)
        self._away = not self._back
        raise RegistryError("away")

    def marks(self) -> Marks:
        if self._away:
            raise RegistryError("away")
        return super().marks()


def promote(office: Any) -> None:
    Promotion(office, office, office.tools).make(Change("promoted", "2", "1", "ann", "better"))


def test_all_that_needs_the_registry_is_done_before_the_alias_moves() -> None:
    office = Office()
    promote(office)
    assert office.done[: office.done.index("set_alias") + 1] == ["set_tags", "marks", "set_alias"]
    assert office.tags == {FORMER_TAG: "1"}
    assert [step.event.kind for step in office.steps] == ["claimed", "promoted"]


@pytest.mark.parametrize("slow", ["set_tags", "marks"])
def test_a_promoter_whose_registry_was_slow_gives_up_and_leaves_the_alias(slow: str) -> None:
    office = Office(**{slow: ACT_SECONDS + 1.0})
    with pytest.raises(PromotionError, match=f"more than {ACT_SECONDS} s: nothing has changed"):
        promote(office)
    assert office.champion == "1"
    assert [step.event.kind for step in office.steps] == ["claimed", "withdrawn"]


def test_the_alias_never_moves_when_the_claim_holds_no_longer_however_slow_the_registry_is() -> None:
    office = Office(set_tags=ACT_SECONDS, set_alias=REQUEST_SECONDS)
    promote(office)
    assert office.champion == "2"
    assert office.moved_at < CLAIM_SECONDS


def test_where_the_answer_was_lost_the_alias_itself_says_whether_it_moved() -> None:
    moved, stayed = Leaving(moves=True, back=True), Leaving(moves=False, back=True)
    promote(moved)
    assert [step.event.kind for step in moved.steps] == ["claimed", "promoted"]
    with pytest.raises(RegistryError, match="away"):
        promote(stayed)
    assert [step.event.kind for step in stayed.steps] == ["claimed", "withdrawn"]


def test_where_nobody_can_say_whether_it_moved_the_claim_stays_until_it_ends() -> None:
    office = Leaving(moves=True, back=False)
    with pytest.raises(UnknownOutcome, match="whether version 2 is the champion now is not known"):
        promote(office)
    assert [step.event.kind for step in office.steps] == ["claimed"]


def test_a_roll_back_ends_the_canary_that_a_killed_promotion_left_at_100_percent() -> None:
    cuts, clock = Cuts({("tag", 1): (Killed, False)}), Clock()
    registered = FakeRegistered(cuts)
    registered.on_its_way(Rollout(version="2", stage="canary", since=NOON, share=100))
    ports: Any = registered, FakeEvents(cuts, clock)
    promotion = Promotion(*ports, clock.tools)
    with pytest.raises(Killed):
        promotion.make(Change("promoted", "2", "1", "watch", "better"))
    assert registered.rollout is not None
    assert promotion.make(Change("rolled-back", "1", "2", "ann", "worse")).remarks == ()
    assert (registered.champion, registered.tag) == ("1", "")
