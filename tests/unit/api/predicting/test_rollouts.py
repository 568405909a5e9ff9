import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.errors import ModelRefused, RegistryAway
from api.models.pointers import Pointers
from api.models.served import Served
from api.models.version import ModelVersion
from api.predicting.champion import ChampionFollower
from api.predicting.following import REFUSED_POLLS
from api.predicting.rollouts import RolloutFollower
from contracts.rollout import Rollout
from tests.builders import NOON, a_baseline
from tests.rollouts import a_rollout
from tests.serving import FakeVersions, a_predictor, a_served, an_outbox
from tests.waiting import eventually


class Followers:
    """Both followers of a registry in memory. order: what happened; told: rollouts that were refused."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.versions = FakeVersions()
        self.versions.champion = "1"
        for version in "1234":
            folder = directory / version
            folder.mkdir()
            baseline = a_baseline(version=version, rows=500)
            self.versions.versions[version] = ModelVersion("flights", version, baseline, None, folder=folder)
        self.predictor = a_predictor(an_outbox(directory))
        self.telemetry = self.predictor._telemetry
        self.order: list[str] = []
        self.told: list[tuple[Rollout, str]] = []
        self.rollouts = RolloutFollower(
            self.versions,
            self.predictor,
            self.telemetry,
            prepare=self._prepare,
            adopt=lambda served: self.order.append(f"adopt {served.baseline.version}"),
            loaded=lambda served: self.order.append(f"ready {served.baseline.version}"),
            refused=lambda rollout, why: self.told.append((rollout, why)),
        )
        self.champion = ChampionFollower(
            self.versions,
            self.predictor,
            self.telemetry,
            prepare=self._prepare,
            adopt=lambda served: self.order.append(f"adopt {served.baseline.version}"),
            swapped=lambda served: self.order.append(f"swapped {served.baseline.version}"),
            now=lambda: NOON,
            poll_seconds=60,
            rollouts=self.rollouts,
        )

    def _prepare(self, model: ModelVersion) -> Served:
        return replace(a_served(model.baseline), folder=model.folder)

    async def poll(self, champion: str = "1", rollout: Rollout | None = None, challenger: str | None = None) -> None:
        self.versions.champion, self.versions.rollout, self.versions.challenger = champion, rollout, challenger
        await self.champion.poll()

    async def until_ready(self, version: str) -> None:
        await eventually(lambda: self.rollouts.held(version) is not None, 10, f"version {version} is loaded")

    @property
    def lane(self) -> Any:
        return self.predictor.lanes.lane

    @property
    def state(self) -> Any:
        return self.rollouts.state()


@pytest.fixture
async def followers(tmp_path: Path) -> AsyncIterator[Followers]:
    made = Followers(tmp_path)
    task = asyncio.create_task(made.rollouts.run())
    await made.poll()
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_rollouts_version_is_loaded_beside_the_champion_and_its_baseline_kept_first(followers: Followers):
    await followers.poll(rollout=a_rollout("shadow"))
    assert followers.state.state == "loading"
    await followers.until_ready("2")

    assert followers.order == ["adopt 1", "swapped 1", "adopt 2", "ready 2"]
    assert followers.predictor.served.baseline.version == "1"
    assert (followers.lane.served.baseline.version, followers.lane.shadows) == ("2", True)
    assert (followers.state.version, followers.state.stage, followers.state.state) == ("2", "shadow", "active")


async def test_another_stage_or_share_takes_no_loading(followers: Followers):
    await followers.poll(rollout=a_rollout("shadow"))
    await followers.until_ready("2")
    lane = followers.lane

    await followers.poll(rollout=a_rollout("shadow"))
    assert followers.lane is lane
    await followers.poll(rollout=a_rollout("canary", 5))
    assert followers.lane.rollout.share == 5
    await followers.poll(rollout=a_rollout("canary", 25))
    assert followers.lane.rollout.share == 25

    assert followers.versions.loads == ["1", "2"]


async def test_a_rollout_that_ends_leaves_the_champion_alone(followers: Followers):
    await followers.poll(rollout=a_rollout())
    await followers.until_ready("2")

    await followers.poll()

    assert followers.lane is None
    assert followers.state is None


async def test_a_rollouts_version_becomes_the_champion_without_loading(followers: Followers):
    await followers.poll(rollout=a_rollout())
    await followers.until_ready("2")

    await followers.poll(champion="2")

    assert followers.predictor.served.baseline.version == "2"
    assert followers.predictor.served.since == NOON
    assert followers.lane is None
    assert followers.versions.loads == ["1", "2"]
    assert followers.versions.kept_again == ["2"]


async def test_the_champion_before_answers_again_without_loading(followers: Followers):
    await followers.poll(champion="2")

    await followers.poll(champion="1")

    assert followers.predictor.served.baseline.version == "1"
    assert followers.versions.loads == ["1", "2"]


async def test_a_version_whose_files_are_gone_is_loaded_anew(followers: Followers):
    await followers.poll(champion="2")
    (followers.directory / "1").rmdir()

    await followers.poll(champion="1")

    assert followers.predictor.served.baseline.version == "1"
    assert followers.versions.loads == ["1", "2", "1"]


async def test_the_challenger_is_held_ready_without_a_rollout(followers: Followers):
    await followers.poll(challenger="3")
    await followers.until_ready("3")
    assert followers.lane is None

    await followers.poll(champion="3")

    assert followers.versions.loads == ["1", "3"]


async def test_a_version_that_cannot_be_served_is_told_and_tried_again_now_and_then(followers: Followers):
    followers.versions.versions["2"] = ModelRefused("flights/2 has no baseline.json")
    rollout = a_rollout()

    await followers.poll(rollout=rollout)
    await eventually(lambda: followers.told, 10, "the refusal")
    for _ in range(REFUSED_POLLS):
        await followers.poll(rollout=rollout)
    assert followers.versions.loads == ["1", "2"]
    assert (followers.state.state, followers.state.detail) == ("refused", "flights/2 has no baseline.json")
    await followers.poll(rollout=rollout)
    await eventually(lambda: len(followers.told) == 2, 10, "another attempt")

    assert followers.told == [(rollout, "flights/2 has no baseline.json")] * 2
    assert followers.telemetry.registry.get_sample_value("tidemark_api_rollout_load_failures_total") == 2
    assert followers.champion.health == (True, "the alias points to version 1")
    assert followers.predictor.served.baseline.version == "1"


async def test_a_loader_that_breaks_is_refused_and_the_next_rollout_is_followed(followers: Followers):
    followers.versions.versions["2"] = IndexError("a bug")
    await followers.poll(rollout=a_rollout())
    await eventually(lambda: followers.told, 10, "the refusal")

    await followers.poll(rollout=a_rollout(version="3"))
    await followers.until_ready("3")

    assert followers.lane.rollout.version == "3"


async def test_a_version_that_cannot_be_fetched_is_fetched_at_the_next_poll(followers: Followers):
    right = followers.versions.versions["2"]
    followers.versions.versions["2"] = RegistryAway("no answer")
    await followers.poll(rollout=a_rollout())
    await eventually(lambda: followers.state.detail == "no answer", 10, "the failure")
    followers.versions.versions["2"] = right

    await followers.poll(rollout=a_rollout())
    await followers.until_ready("2")

    assert followers.told == []


async def test_while_the_registry_is_away_the_rollout_stays_what_it_was(followers: Followers):
    await followers.poll(rollout=a_rollout("canary", 25))
    await followers.until_ready("2")
    lane = followers.lane

    followers.versions.champion = None
    await followers.champion.poll()

    assert followers.lane is lane


async def test_a_tag_that_is_no_rollout_is_told_and_nothing_is_on_its_way(followers: Followers):
    followers.rollouts.want(Pointers("1", wrong="tag tidemark.rollout: not a rollout"))

    assert followers.lane is None
    assert (followers.state.state, followers.state.detail) == ("unreadable", "tag tidemark.rollout: not a rollout")


async def test_whoever_wakes_the_follower_has_the_alias_looked_up_at_once(followers: Followers):
    task = asyncio.create_task(followers.champion.run())
    await followers.champion.tried.wait()
    followers.versions.champion = "2"

    followers.champion.wake()

    await eventually(lambda: followers.predictor.served.baseline.version == "2", 10, "the new champion")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
