"""What is told about a model's versions, and how often the registry is asked for it."""

import asyncio
import threading

from api.models.catalogue import FRESH_SECONDS, Catalogue
from api.models.registered import Models, RegisteredVersion
from tests.builders import NOON, a_baseline
from tests.fakes import ManualClock
from tests.serving import FakeVersions, a_served


def a_catalogue(registry: FakeVersions, clock: ManualClock | None = None, **more: float) -> Catalogue:
    served = a_served(a_baseline(version="2"))
    clock = clock or ManualClock()
    return Catalogue(registry, "flights", "champion", served=lambda: served, now=lambda: NOON, stopwatch=clock, **more)


def a_registry(*versions: str, champion: str | None) -> FakeVersions:
    registry = FakeVersions()
    registry.versions = dict.fromkeys(versions, Exception("not asked for"))
    registry.champion = champion
    return registry


def told(models: Models) -> list[tuple[str, tuple[str, ...], bool]]:
    return [(version.version, version.aliases, version.answers) for version in models.versions]


async def test_versions_are_listed_with_their_aliases_and_the_one_that_answers():
    models = await a_catalogue(a_registry("1", "2", "3", champion="3")).models()

    assert (models.name, models.alias, models.registry, models.as_of) == ("flights", "champion", "ok", NOON)
    assert told(models) == [("3", ("champion",), False), ("2", (), True), ("1", (), False)]


async def test_however_many_ask_the_registry_is_asked_once_a_while():
    registry, clock = a_registry("1", champion="1"), ManualClock()
    catalogue = a_catalogue(registry, clock)

    await asyncio.gather(*(catalogue.models() for _ in range(20)))
    clock.now += FRESH_SECONDS - 0.1
    await catalogue.models()
    assert registry.listings == 1

    clock.now += 0.1
    await catalogue.models()
    assert registry.listings == 2


async def test_while_the_registry_is_away_the_loaded_version_is_listed_and_it_is_not_asked_all_the_time():
    registry = a_registry(champion=None)
    catalogue = a_catalogue(registry)

    models = [await catalogue.models() for _ in range(3)][-1]

    assert models.registry == "away"
    assert told(models) == [("2", (), True)]
    assert models.versions[0].metrics == a_baseline().performance
    assert registry.listings == 1


async def test_without_a_registry_and_without_a_loaded_version_there_is_nothing_to_list():
    catalogue = Catalogue(a_registry(champion=None), "flights", "champion", served=lambda: None, now=lambda: NOON)

    assert (await catalogue.models()).versions == ()


class Slow(FakeVersions):
    """Answers when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def listed(self, most: int) -> tuple[RegisteredVersion, ...]:
        self.listings += 1
        self.go.wait(30)
        return (RegisteredVersion("9", (), None, True, True, {}),)


async def test_nobody_waits_long_for_a_slow_registry_and_its_answer_is_kept_for_those_who_come_later():
    registry = Slow()
    catalogue = a_catalogue(registry, patience=0.01)

    impatient = [await catalogue.models() for _ in range(3)]
    registry.go.set()
    assert catalogue._asking is not None
    await catalogue._asking

    assert {models.registry for models in impatient} == {"away"}
    assert told(await catalogue.models()) == [("9", (), False)]
    assert registry.listings == 1
