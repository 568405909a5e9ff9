"""Whom a roll-back goes to: to nobody that has not been champion, by the events and by the tags; without a registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.interrupted import Clock, Cuts, FakeEvents, FakeRegistered
from training.errors import PromotionError
from training.promotion.change import Changed
from training.promotion.moving import FORMER_TAG
from training.promotion.promoting import promote, roll_back
from training.registry.records import Version

CLOCK = Clock()
NOT_ON_RECORD = r"nothing on record says that flights/3 has been champion.*`python -m training promote 3`"


class Shelf(FakeRegistered):
    """Versions 1 to 4 with their tags. 1 is the champion."""

    def __init__(self) -> None:
        super().__init__(Cuts())
        self.kept: dict[str, dict[str, str]] = {number: {} for number in "1234"}

    def versions(self) -> list[str]:
        return list(self.kept)

    def version_tags(self) -> dict[str, dict[str, str]]:
        return self.kept

    def tags(self, version: Version) -> dict[str, str]:
        return self.kept[version.version]

    def set_tags(self, version: Version, tags: Mapping[str, str]) -> None:
        self.kept[version.version] |= tags


def back(shelf: Any, events: Any, to: str | None = None) -> Changed:
    return roll_back(shelf, events, CLOCK.tools, to=to, by="ann", reason="")


def put(shelf: Any, events: Any, version: str) -> None:
    promote(shelf, events, CLOCK.tools, version, by="ann", reason="a test", override=True)


def topic() -> FakeEvents:
    return FakeEvents(Cuts(), CLOCK)


@pytest.mark.parametrize("events", [topic(), None], ids=["events", "tags"])
def test_a_roll_back_goes_to_any_former_champion_and_to_no_other_version(events: Any) -> None:
    shelf = Shelf()
    put(shelf, events, "2")
    with pytest.raises(PromotionError, match=NOT_ON_RECORD):
        back(shelf, events, "3")
    assert shelf.champion == "2"
    assert back(shelf, events, "1").change.version == shelf.champion == "1"
    assert back(shelf, events, "2").change.version == shelf.champion == "2"
    with pytest.raises(PromotionError, match="flights/2 is the champion already"):
        back(shelf, events, "2")


def test_a_former_champion_is_known_by_the_tags_when_its_events_are_gone() -> None:
    shelf = Shelf()
    shelf.aliases["champion"] = "4"
    shelf.kept["4"][FORMER_TAG] = "3"  # 4 was promoted over 3, more than a year ago
    assert back(shelf, topic(), "3").change.version == shelf.champion == "3"
    assert back(shelf, topic(), "4").change.version == shelf.champion == "4"


def test_where_nothing_is_on_record_a_roll_back_names_the_command_that_promotes() -> None:
    shelf = Shelf()  # its alias was moved by hand, before there were events
    with pytest.raises(PromotionError, match=NOT_ON_RECORD):
        back(shelf, topic(), "3")
    with pytest.raises(PromotionError, match="before 1: promote another with `python -m training promote VERSION`"):
        back(shelf, topic())


def test_a_promotion_that_came_to_nothing_makes_no_former_champion() -> None:
    shelf, events = Shelf(), topic()
    events.say("claimed", "3")
    shelf.kept["3"][FORMER_TAG] = "1"  # set before the alias moves
    events.say("withdrawn", "3")
    with pytest.raises(PromotionError, match=NOT_ON_RECORD):
        back(shelf, events, "3")


def test_the_champion_that_training_itself_made_is_a_former_one() -> None:
    shelf, events = Shelf(), topic()
    shelf.aliases["champion"] = "2"  # moved by hand
    events.say("registered", "3", alias="champion")
    events.say("registered", "4", alias="challenger")
    with pytest.raises(PromotionError, match="flights/4 has been champion"):
        back(shelf, events, "4")
    assert back(shelf, events, "3").change.version == shelf.champion == "3"
