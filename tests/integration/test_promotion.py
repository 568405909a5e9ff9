"""Promotion and roll-back on a real MLflow store and a real broker: one of many wins, crashes leave nothing stuck."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from typer.testing import CliRunner, Result

from contracts.model_events import ModelEvent, encode_model_event
from contracts.rollout import ROLLOUT_TAG, Rollout, encode_rollout
from contracts.topics import MODEL_EVENTS
from tests.builders import NOON
from tests.gated import a_candidate, registered_at
from tests.servers.verbs import Broker
from training.__main__ import app
from training.errors import PromotionError, PublishError, RegistryError
from training.promotion.change import Change, Changed, Tools
from training.promotion.history import history_lines
from training.promotion.moving import FORMER_TAG, Promotion
from training.promotion.promoting import promote, roll_back
from training.registry.registered import Registered
from training.topics.model_events import ModelEvents

_REPOSITORY = Path(__file__).parents[2]
TOOLS = Tools(lambda: datetime.now(UTC), time.monotonic, lambda: str(uuid.uuid4()))


@dataclass(frozen=True)
class Office:
    """A registry of its own with candidates, and a topic model-events of its own."""

    uri: str
    kafka: Broker
    prefix: str

    @property
    def events(self) -> ModelEvents:
        return ModelEvents(self.kafka.bootstrap, self.prefix, 15.0)

    @property
    def registered(self) -> Registered:
        return registered_at(self.uri)

    @property
    def environment(self) -> dict[str, str]:
        folder = Path(self.uri.removeprefix("sqlite:///")).parent
        return {
            "TRAINING_TRACKING_URI": self.uri,
            "TRAINING_ARTIFACTS": str(folder / "artifacts"),
            "TRAINING_BOOTSTRAP": self.kafka.bootstrap,
            "TRAINING_TOPIC_PREFIX": self.prefix,
        }

    def run(self, *arguments: str, **settings: str) -> Result:
        return CliRunner().invoke(app, list(arguments), env=self.environment | settings)

    def kinds(self) -> list[tuple[str, str]]:
        return [(step.event.kind, step.event.version) for step in self.events.read("flights")]

    def champion(self) -> str | None:
        return self.registered.marks().champion


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with seven versions, 1 the champion: making it takes most of the time. Tests have copies of it."""
    file = tmp_path_factory.mktemp("registry") / "mlflow.db"
    for seed in range(7):
        a_candidate(f"sqlite:///{file}", seed=seed, alias=None if seed else "champion")
    return file


@pytest.fixture
def office(
    tmp_path: Path, registry: Path, kafka: Broker, namespace: str, fresh_topic: Callable[..., Awaitable[str]]
) -> Callable[..., Awaitable[Office]]:
    """The versions' files are those of all tests: only one test may gate a version."""

    async def made(**config: str) -> Office:
        await fresh_topic(MODEL_EVENTS.name, **{"message_timestamp_type": "LogAppendTime"} | config)
        shutil.copy(registry, tmp_path / "mlflow.db")
        return Office(f"sqlite:///{tmp_path}/mlflow.db", kafka, namespace)

    return made


def change(version: str, seen: str | None = "1", by: str = "ann") -> Change:
    return Change("promoted", version, seen, by, "a test")


async def test_versions_are_gated_promoted_rolled_back_and_the_history_tells_it(
    office: Callable[..., Awaitable[Office]],
) -> None:
    place = await office()

    def story() -> None:
        refuses = place.run("promote", "2")
        assert refuses.exit_code == 2
        assert "version 2 has no gate report: run `python -m training gate 2`" in refuses.stderr
        assert place.run("gate", "2").exit_code == 0
        assert place.run("gate", "3").exit_code == 0
        done = place.run("promote", "2", "--by", "ann", "--reason", "better in June")
        assert done.exit_code == 0, done.output
        assert "flights/2 promoted to champion, before it was 1 (better in June)" in done.output
        assert place.champion() == "2"
        stale = place.run("promote", "3")
        assert stale.exit_code == 2
        assert "version 3 was gated against champion 1, and now it is 2" in stale.stderr
        forced = place.run("promote", "3", "--override", "--reason", "no time", "--by", "bob")
        assert forced.exit_code == 0, forced.output
        back = place.run("rollback", "--by", "cid")
        assert "flights/2 champion again, before it was 3 (rolled back from 3)" in back.output
        further = place.run("rollback", "--by", "cid")
        assert "flights/1 champion again" in further.output
        nobody = place.run("rollback")
        assert nobody.exit_code == 2
        assert "was champion of flights before 1: name another with --to VERSION, there are 2, 3" in nobody.stderr
        shown = place.run("history")
        steps = [line.split()[2:6] for line in shown.output.splitlines() if line.startswith("20")]
        assert steps == [
            ["gated", "2", "1", shown_by(shown.output)],
            ["gated", "3", "1", shown_by(shown.output)],
            ["promoted", "2", "1", "ann"],
            ["promoted", "3", "2", "bob"],
            ["rolled-back", "2", "3", "cid"],
            ["rolled-back", "1", "2", "cid"],
        ]
        assert shown.output.splitlines()[-1] == "champion now: 1"
        assert len(place.run("history", "--json").stdout.splitlines()) == 6
        assert len(place.run("history", "--json", "--all").stdout.splitlines()) == 10  # with a claim for each change
        registered = place.registered
        tags = registered.tags(registered.find("3"))
        assert tags[FORMER_TAG] == "2"
        (override,) = [value for name, value in tags.items() if name.startswith("tidemark.override.promotion.")]
        assert override.startswith("bob: no time (version 3 was gated against champion 1")

    await asyncio.to_thread(story)


def shown_by(output: str) -> str:
    """Who ran this process, as the history prints it."""
    return next(line for line in output.splitlines() if " gated " in line).split()[5]


async def test_a_deployments_own_alias_is_pointed_to_a_version_and_the_champion_stays(
    office: Callable[..., Awaitable[Office]],
) -> None:
    place = await office()
    done = place.run("alias", "green", "2")
    assert done.output == "flights/2 has the alias green\n"
    assert place.registered.marks().aliases == {"champion": "1", "green": "2"}
    unknown = place.run("alias", "green", "70")
    assert unknown.exit_code == 2
    assert "flights has no version '70'" in unknown.stderr


async def test_of_two_promoters_at_once_one_wins_and_the_other_is_told(
    office: Callable[..., Awaitable[Office]],
) -> None:
    place = await office()
    for version in ("4", "5"):
        assert (await asyncio.to_thread(place.run, "gate", version)).exit_code == 0

    def started(version: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "training", "promote", version, "--by", f"promoter-of-{version}"]
        return subprocess.Popen(
            command,
            cwd=_REPOSITORY,
            env={**os.environ, **place.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    processes = {version: started(version) for version in ("4", "5")}
    ended = {version: await asyncio.to_thread(one.communicate, timeout=300) for version, one in processes.items()}
    codes = {version: one.returncode for version, one in processes.items()}
    assert sorted(codes.values()) == [0, 2], ended
    winner = next(version for version, code in codes.items() if code == 0)
    loser = next(version for version in codes if version != winner)
    assert await asyncio.to_thread(place.champion) == winner
    told = ended[loser][1].strip()
    assert len(told.splitlines()) == 1
    # how far apart the two got decides at which of three doors the loser stands
    ways = (f"promoter-of-{winner} was first", f"the champion was 1 and is {winner} now", f"and now it is {winner}")
    assert any(way in told for way in ways), told
    kinds = await asyncio.to_thread(place.kinds)
    assert [one for one in kinds if one[0] == "promoted"] == [("promoted", winner)]


async def test_of_six_promoters_in_the_same_instant_exactly_one_wins(office: Callable[..., Awaitable[Office]]) -> None:
    place = await office()
    registered = await asyncio.to_thread(lambda: place.registered)

    def one(version: str) -> Changed | PromotionError:
        try:
            return Promotion(registered, place.events, TOOLS).make(change(version, by=f"p{version}"))
        except PromotionError as error:
            return error

    with ThreadPoolExecutor(6) as pool:
        loop = asyncio.get_running_loop()
        done = await asyncio.gather(*(loop.run_in_executor(pool, one, str(version)) for version in range(2, 8)))
    won = [result for result in done if isinstance(result, Changed)]
    assert len(won) == 1, done
    lost = [str(result) for result in done if isinstance(result, PromotionError)]
    winner = won[0].change.version
    assert all(f"p{winner} was first" in text or f"is {winner} now" in text for text in lost), lost
    assert await asyncio.to_thread(place.champion) == winner
    kinds = await asyncio.to_thread(place.kinds)
    assert sorted(kind for kind, _ in kinds) == ["claimed"] * 6 + ["promoted"] + ["withdrawn"] * 5


_DIES = """
import os, signal, sys, time, uuid
from datetime import UTC, datetime
from tests.gated import registered_at
from training.topics.model_events import ModelEvents
from training.promotion.moving import Promotion
from training.promotion.change import Change, Tools

uri, bootstrap, prefix, when = sys.argv[1:]
ids = []

def new_id():
    if ids:  # of the event behind the claim
        os.kill(os.getpid(), signal.SIGKILL)
    ids.append(str(uuid.uuid4()))
    return ids[0]

def seconds():
    if ids and when == "before":  # the claim is won, the alias is about to be moved
        os.kill(os.getpid(), signal.SIGKILL)
    return time.monotonic()

tools = Tools(lambda: datetime.now(UTC), seconds, new_id)
Promotion(registered_at(uri), ModelEvents(bootstrap, prefix, 15.0), tools).make(
    Change("promoted", "2", "1", "zed", "a test")
)
"""
"""SIGKILL behind the claim: before the alias moves, or before the event that says so."""


async def died(place: Office, when: str) -> None:
    """A promoter of version 2 that was killed. when: "before" or "after" the alias has moved."""

    def run() -> int:
        command = [sys.executable, "-c", _DIES, place.uri, place.kafka.bootstrap, place.prefix, when]
        environment = {**os.environ, "PYTHONPATH": str(_REPOSITORY)}
        return subprocess.run(command, env=environment, cwd=_REPOSITORY, timeout=300, check=False).returncode

    assert await asyncio.to_thread(run) == -signal.SIGKILL


async def aged(place: Office, claim: ModelEvent) -> None:
    """The same claim, as the topic has it after a minute. (The topic of this test keeps the producer's time.)"""
    producer = AIOKafkaProducer(bootstrap_servers=place.kafka.bootstrap)
    await producer.start()
    try:
        before = int((time.time() - 61) * 1000)
        await producer.send_and_wait(
            place.events.topic, encode_model_event(claim), key=b"flights", partition=0, timestamp_ms=before
        )
    finally:
        await producer.stop()


async def test_a_promoter_that_dies_with_its_claim_stops_others_for_a_minute_and_no_longer(
    office: Callable[..., Awaitable[Office]],
) -> None:
    place = await office()
    await died(place, "before")
    registered = await asyncio.to_thread(lambda: place.registered)
    assert registered.marks().champion == "1"
    with pytest.raises(PromotionError, match=r"zed was first, at .* to promote version 2 .*try again at"):
        await asyncio.to_thread(Promotion(registered, place.events, TOOLS).make, change("3"))
    assert registered.marks().champion == "1"


async def test_an_old_claim_of_the_dead_stops_nobody(office: Callable[..., Awaitable[Office]]) -> None:
    place = await office(message_timestamp_type="CreateTime")
    claim = ModelEvent(
        id="c1", kind="claimed", at=NOON, model="flights", version="9", by="zed", reason="a test", previous="1"
    )
    await aged(place, claim)
    registered = await asyncio.to_thread(lambda: place.registered)
    await asyncio.to_thread(Promotion(registered, place.events, TOOLS).make, change("2"))
    assert registered.marks().champion == "2"


async def test_a_promoter_that_dies_behind_the_alias_is_told_by_the_history_and_can_be_rolled_back(
    office: Callable[..., Awaitable[Office]],
) -> None:
    place = await office(message_timestamp_type="CreateTime")
    await died(place, "after")
    registered = await asyncio.to_thread(lambda: place.registered)
    assert registered.marks().champion == "2"
    steps = await asyncio.to_thread(place.events.read, "flights")
    assert [step.event.kind for step in steps] == ["claimed"]
    assert "claimed by zed for version 2" in history_lines(steps, "2")[-1]
    with pytest.raises(PromotionError, match="zed was first"):
        await asyncio.to_thread(lambda: roll_back(registered, place.events, TOOLS, to=None, by="ann", reason=""))
    assert registered.marks().champion == "2"


async def test_mlflow_away_half_way_changes_nothing_and_the_claim_is_taken_back(
    office: Callable[..., Awaitable[Office]], tmp_path: Path
) -> None:
    place = await office()
    registered = await asyncio.to_thread(lambda: place.registered)
    locked = sqlite3.connect(tmp_path / "mlflow.db", check_same_thread=False, isolation_level=None)
    asked: list[float] = []

    def seconds() -> float:
        asked.append(0.0)
        if len(asked) == 1:  # the claim is about to be written
            locked.execute("begin exclusive")
        return time.monotonic()

    tools = Tools(TOOLS.now, seconds, TOOLS.new_id)
    with pytest.raises(RegistryError, match=r"refused a tag of flights/2: .*database is locked"):
        await asyncio.to_thread(Promotion(registered, place.events, tools).make, change("2"))
    locked.execute("rollback")
    locked.close()
    assert registered.marks().champion == "1"
    assert await asyncio.to_thread(place.kinds) == [("claimed", "2"), ("withdrawn", "2")]
    await asyncio.to_thread(Promotion(registered, place.events, TOOLS).make, change("2"))  # at once
    assert registered.marks().champion == "2"


async def test_kafka_away_changes_nothing(office: Callable[..., Awaitable[Office]]) -> None:
    place = await office()
    registered = await asyncio.to_thread(lambda: place.registered)
    away = ModelEvents("127.0.0.1:1", place.prefix, 5.0)
    with pytest.raises(PublishError, match=r"127.0.0.1:1"):
        await asyncio.to_thread(Promotion(registered, away, TOOLS).make, change("2"))
    elsewhere = ModelEvents(place.kafka.bootstrap, place.prefix + "other.", 15.0)
    with pytest.raises(PublishError, match=r"has no topic '.*other.model-events': run `python -m stream_app topics`"):
        await asyncio.to_thread(Promotion(registered, elsewhere, TOOLS).make, change("2"))
    assert registered.marks().champion == "1"


async def test_a_champion_that_changed_since_it_was_looked_at_is_not_overrun(
    office: Callable[..., Awaitable[Office]],
) -> None:
    place = await office()
    registered = await asyncio.to_thread(lambda: place.registered)
    await asyncio.to_thread(registered.registry.set_alias, registered.find("3"), "champion")  # by hand, no claim
    with pytest.raises(PromotionError, match="the champion was 1 and is 3 now: somebody else moved it"):
        await asyncio.to_thread(Promotion(registered, place.events, TOOLS).make, change("2"))
    assert [kind for kind, _ in await asyncio.to_thread(place.kinds)] == ["claimed", "withdrawn"]


async def test_a_promotion_ends_the_versions_rollout_and_its_being_challenger(
    office: Callable[..., Awaitable[Office]],
) -> None:
    place = await office()
    registered = await asyncio.to_thread(lambda: place.registered)
    registered.registry.set_alias(registered.find("2"), "challenger")
    registered.set_model_tag(ROLLOUT_TAG, encode_rollout(Rollout(version="2", stage="canary", since=NOON, share=100.0)))
    done = await asyncio.to_thread(Promotion(registered, place.events, TOOLS).make, change("2"))
    assert done.remarks == ()
    assert registered.marks().aliases == {"champion": "2"}
    assert registered.marks().tags[ROLLOUT_TAG] == ""
    registered.set_model_tag(ROLLOUT_TAG, encode_rollout(Rollout(version="3", stage="shadow", since=NOON)))
    back = await asyncio.to_thread(lambda: roll_back(registered, place.events, TOOLS, to=None, by="ann", reason=""))
    assert back.remarks == ("version 3 is still on its way (shadow), beside the new champion",)


async def test_a_former_champion_that_is_gone_is_named_with_those_that_are_left(
    office: Callable[..., Awaitable[Office]],
) -> None:
    place = await office()
    registered = await asyncio.to_thread(lambda: place.registered)
    await asyncio.to_thread(Promotion(registered, place.events, TOOLS).make, change("2"))
    registered.registry.client.delete_model_version("flights", "1")
    with pytest.raises(
        PromotionError, match=r"former champion flights/1 is gone .*: promote another with `python -m training promote"
    ):
        await asyncio.to_thread(lambda: roll_back(registered, place.events, TOOLS, to=None, by="ann", reason=""))
    assert registered.marks().champion == "2"


async def test_without_kafka_the_alias_is_looked_at_and_the_roll_back_goes_by_the_versions_tag(
    office: Callable[..., Awaitable[Office]],
) -> None:
    place = await office()
    registered = await asyncio.to_thread(lambda: place.registered)
    done = promote(registered, None, TOOLS, "2", by="ann", reason="a test", override=True)
    assert "TRAINING_BOOTSTRAP is not set: no event was written" in done.remarks[0]
    assert registered.marks().champion == "2"
    with pytest.raises(PromotionError, match="flights/2 is the champion already"):
        promote(registered, None, TOOLS, "2", by="ann", reason="a test", override=True)
    back = roll_back(registered, None, TOOLS, to=None, by="ann", reason="")
    assert back.change.version == "1"
    assert "known from the version's tag" in back.remarks[0]
    with pytest.raises(PromotionError, match="the champion was 2 and is 1 now"):
        Promotion(registered, None, TOOLS).make(change("2", seen="2"))
    said = place.run("history", TRAINING_BOOTSTRAP="")
    assert said.exit_code == 2
    assert "the history is on Kafka: set TRAINING_BOOTSTRAP=host:port" in said.stderr
