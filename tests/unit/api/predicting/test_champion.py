from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.errors import ModelRefused, NoModel, NothingToServe, RegistryAway
from api.models.proof import Proof
from api.models.served import Served
from api.models.version import ModelVersion
from api.predicting.champion import ChampionFollower
from api.predicting.following import REFUSED_POLLS
from api.telemetry import Telemetry
from tests.builders import NOON, a_baseline
from tests.serving import FakeVersions, a_predictor, a_served, an_outbox


def a_version(version: str, cached: bool = False) -> ModelVersion:
    return ModelVersion("flights", version, a_baseline(version=version, rows=500), None, cached)


class Follower:
    """A follower of a registry in memory. order: what happened to each version."""

    def __init__(self, directory: Path) -> None:
        self.versions = FakeVersions()
        self.versions.versions = {version: a_version(version) for version in "123"}
        self.predictor = a_predictor(an_outbox(directory))
        self.now = NOON
        self.order: list[str] = []
        self.unservable = ""
        self.follower = ChampionFollower(
            self.versions,
            self.predictor,
            Telemetry(),
            prepare=self._prepare,
            adopt=lambda served: self.order.append(f"adopt {served.baseline.version} before {self.answers}"),
            swapped=lambda served: self.order.append(f"swapped to {self.answers}"),
            now=lambda: self.now,
            poll_seconds=60,
        )

    def _prepare(self, model: ModelVersion) -> Served:
        if model.version in self.unservable:
            raise ModelRefused(f"{model.version} cannot score a row of its own schema")
        return a_served(model.baseline, cached=model.cached)

    @property
    def answers(self) -> str | None:
        served = self.predictor.served
        return None if served is None else served.baseline.version

    async def poll(self, champion: str | RegistryAway | None = None, times: int = 1) -> Any:
        self.versions.champion = champion
        for _ in range(times):
            await self.follower.poll()
        return self.follower.health


@pytest.fixture
def follower(tmp_path: Path) -> Follower:
    return Follower(tmp_path)


async def test_the_champion_is_loaded_and_answers(follower: Follower):
    health = await follower.poll("1")

    assert follower.answers == "1"
    assert health == (True, "the alias points to version 1")


async def test_a_version_is_loaded_once(follower: Follower):
    await follower.poll("1", times=3)

    assert follower.versions.loads == ["1"]


async def test_a_new_champion_is_swapped_in_after_its_baseline_was_kept(follower: Follower):
    await follower.poll("1")
    await follower.poll("2")

    assert follower.order == ["adopt 1 before None", "swapped to 1", "adopt 2 before 1", "swapped to 2"]


async def test_a_roll_back_is_a_swap_like_any_other(follower: Follower):
    for champion in "121":
        await follower.poll(champion)

    assert follower.answers == "1"


async def test_a_version_that_cannot_be_served_leaves_the_old_one_in_place(follower: Follower):
    await follower.poll("1")
    follower.versions.versions["2"] = ModelRefused("flights/2 has no baseline.json")

    health = await follower.poll("2")

    assert follower.answers == "1"
    assert health == (False, "version 2 is not served: flights/2 has no baseline.json")


async def test_a_version_that_is_loaded_and_cannot_be_served_does_not_become_the_local_copy(follower: Follower):
    await follower.poll("1")
    follower.unservable = "2"

    await follower.poll("2")

    assert follower.versions.cached is follower.versions.versions["1"]
    assert follower.versions.discarded == ["2"]


async def test_a_refused_version_is_tried_again_only_now_and_then(follower: Follower):
    follower.versions.versions["2"] = ModelRefused("no baseline")
    await follower.poll("2", times=REFUSED_POLLS + 1)
    assert follower.versions.loads == ["2"]
    follower.versions.versions["2"] = a_version("2")

    await follower.poll("2")

    assert follower.answers == "2"


async def test_after_a_refused_version_another_one_is_loaded_at_once(follower: Follower):
    follower.versions.versions["2"] = ModelRefused("no baseline")
    await follower.poll("2")

    assert (await follower.poll("3")).ok
    assert follower.answers == "3"


async def test_while_the_registry_is_away_the_loaded_version_answers(follower: Follower):
    await follower.poll("1")

    health = await follower.poll(None)

    assert follower.answers == "1"
    assert health == (False, "the registry is away")


async def test_a_start_without_the_registry_takes_the_local_copy(follower: Follower):
    follower.versions.cached = a_version("1", cached=True)

    health = await follower.poll(None)

    assert follower.answers == "1"
    assert follower.predictor.health == (True, "flights/1, from the local copy")
    assert not health.ok


async def test_the_local_copy_gives_way_when_the_registry_is_back(follower: Follower):
    follower.versions.cached = a_version("1", cached=True)
    await follower.poll(None)

    await follower.poll("1")

    assert follower.predictor.health == (True, "flights/1, from the registry")


async def test_without_registry_and_copy_there_is_no_model_until_the_registry_is_back(follower: Follower):
    await follower.poll(None)
    assert not follower.predictor.health.ok

    await follower.poll("2")

    assert follower.answers == "2"


async def test_without_the_alias_ready_and_503_say_what_to_do_and_no_longer_when_it_is_not_known(follower: Follower):
    todo = "no version of flights has the alias 'champion': run `python -m training promote challenger`"

    await follower.poll(NothingToServe(todo))

    assert follower.predictor.health == (False, f"no version is loaded: {todo}")
    with pytest.raises(NoModel, match=f"^No model is loaded: {todo}.$"):
        follower.predictor.current()
    await follower.poll(None)
    with pytest.raises(NoModel, match=r"^No model is loaded yet\.$"):
        follower.predictor.current()


async def test_that_the_registry_is_away_is_said_once_and_again_after_ten_minutes(
    follower: Follower, caplog: pytest.LogCaptureFixture
):
    said = list[int]()
    for minutes in (0, 1, 9, 10, 11, 19, 20):
        follower.now = NOON + timedelta(minutes=minutes)
        await follower.poll(None, times=3)
        said.append(sum(record.getMessage() == "models: the registry is away" for record in caplog.records))

    assert said == [1, 1, 1, 2, 2, 2, 3]


def proved(version: str) -> ModelVersion:
    return replace(a_version(version, cached=True), proof=Proof("", 0.0, 1, NOON))


async def test_a_start_answers_with_a_proved_local_copy_before_the_registry_is_asked(follower: Follower):
    follower.versions.cached = proved("1")

    await follower.follower.begin()

    assert follower.order == ["adopt 1 before None", "swapped to 1"]
    assert follower.predictor.health == (True, "flights/1, from the local copy")
    assert follower.follower.health == (True, "not asked yet; the local copy of version 1 answers")

    await follower.poll(None)
    assert not follower.follower.health.ok

    await follower.poll("2")
    assert follower.predictor.health == (True, "flights/2, from the registry")


async def test_a_local_copy_without_a_proof_waits_for_the_registry(follower: Follower):
    follower.versions.cached = a_version("1", cached=True)

    await follower.follower.begin()
    await follower.poll("2")

    assert follower.order == ["adopt 2 before None", "swapped to 2"]


async def test_without_the_registry_the_model_of_the_local_copy_is_asked_once(follower: Follower):
    follower.versions.cached = proved("1")
    await follower.follower.begin()
    taken = len(follower.order)

    await follower.poll(None, times=3)

    assert follower.order[taken:] == ["adopt 1 before 1", "swapped to 1"]
