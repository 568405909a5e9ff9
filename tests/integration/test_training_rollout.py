"""A rollout on a real broker and a real registry: step by step to the champion, or out with the reason."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from contracts.rollout import ROLLOUT_TAG
from contracts.topics import MODEL_EVENTS, PERFORMANCE, PREDICTIONS
from demo.stack.processes import ServiceProcess
from tests.gated import FEW, a_candidate, registered_at
from tests.played_api import answering
from tests.servers.verbs import Broker
from tests.waiting import PATIENCE, eventually
from training.__main__ import app
from training.errors import PromotionError
from training.promotion.change import Tools
from training.promotion.promoting import promote
from training.registry.registered import Registered
from training.reports.gate_run import Wish, run_gates
from training.rollout.drive import Drive
from training.rollout.policy import Limits, Steps
from training.rollout.wishes import Wishes
from training.topics.model_events import ModelEvents

STEPS = Steps(shadow_seconds=0.5, shadow_events=120, shares=(20, 100), seconds=0.5, events=120, give_up_seconds=60)
TOOLS = Tools(lambda: datetime.now(UTC), time.monotonic, lambda: str(uuid.uuid4()))


@pytest.fixture(scope="module")
def registered_once(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A registry with version 1, version 2 that its gates let through, and version 3 that was not gated."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('registry')}/mlflow.db"
    for _ in range(3):
        a_candidate(uri, alias="champion")
    registered = registered_at(uri)
    registered.registry.set_alias(registered.find("1"), "champion")
    report = run_gates(registered, None, Wish("2", FEW, "test"), now=TOOLS.now(), event_id="gated")
    assert report.may_go_on, report
    return uri


class Place:
    """A broker with the topics, and a registry with a champion, 1, and a challenger, 2."""

    def __init__(self, kafka: Broker, namespace: str, folder: Path, uri: str) -> None:
        self.bootstrap, self.prefix, self.folder, self.uri = kafka.bootstrap, namespace, folder, uri
        self.registered: Registered = registered_at(uri)
        self.registered.registry.set_alias(self.registered.find("1"), "champion")
        self.registered.set_model_tag(ROLLOUT_TAG, "")
        self.events = ModelEvents(self.bootstrap, self.prefix, 15.0)
        self.said: list[str] = []

    def drive(self, approve: Any = "auto") -> Drive:
        wishes = Wishes(STEPS, Limits(), "test", approve, self.said.append)
        return Drive(self.registered, self.events, TOOLS, wishes)

    @property
    def tag(self) -> str | None:
        return self.registered.marks().tags.get(ROLLOUT_TAG)

    @property
    def settings(self) -> dict[str, str]:
        return {
            "TRAINING_TRACKING_URI": self.uri,
            "TRAINING_ARTIFACTS": str(Path(self.uri.removeprefix("sqlite:///")).parent / "artifacts"),
            "TRAINING_BOOTSTRAP": self.bootstrap,
            "TRAINING_TOPIC_PREFIX": self.prefix,
        }

    def kinds(self) -> list[str]:
        return [step.event.kind for step in self.events.read("flights")]


@pytest.fixture
async def place(
    kafka: Broker,
    namespace: str,
    fresh_topic: Callable[..., Awaitable[str]],
    tmp_path: Path,
    registered_once: str,
) -> Place:
    for topic, partitions in ((PREDICTIONS, 2), (PERFORMANCE, 1), (MODEL_EVENTS, 1)):
        await fresh_topic(topic.name, partitions=partitions, message_timestamp_type="LogAppendTime")
    return await asyncio.to_thread(Place, kafka, namespace, tmp_path, registered_once)


async def test_a_challenger_goes_from_shadow_over_its_shares_to_champion(place: Place) -> None:
    async with answering(place.registered, place.bootstrap, place.prefix):
        ended = await asyncio.wait_for(place.drive().run("2"), 60)
    assert ended.how == "promoted", ended
    assert (place.registered.marks().champion, place.tag) == ("2", "")
    kinds = await asyncio.to_thread(place.kinds)
    assert kinds == [*["rollout-changed"] * 3, "claimed", "promoted"]
    shares = [line.split(":")[0] for line in place.said]
    assert shares == [
        "flights/2 in shadow",
        "flights/2 answers 20 % of the entities",
        "flights/2 answers 100 % of the entities",
    ]


async def test_a_challenger_that_cannot_score_is_taken_out_and_the_champion_stays(place: Place) -> None:
    async with answering(place.registered, place.bootstrap, place.prefix, failures=500):
        ended = await asyncio.wait_for(place.drive().run("2"), 60)
    assert ended.how == "ended"
    assert "could not be scored" in ended.reason
    assert (place.registered.marks().champion, place.tag) == ("1", "")
    assert (await asyncio.to_thread(place.kinds))[-1] == "rollout-ended"


async def test_a_challenger_that_decides_otherwise_is_taken_out(place: Place) -> None:
    async with answering(place.registered, place.bootstrap, place.prefix, challenger=lambda draw: 0.9):
        ended = await asyncio.wait_for(place.drive().run("2"), 60)
    assert ended.how == "ended"
    assert "positive decisions" in ended.reason


async def test_with_manual_approval_a_person_comes_before_the_last_step(place: Place) -> None:
    async with answering(place.registered, place.bootstrap, place.prefix):
        driving = asyncio.create_task(place.drive("manual").run("2"))
        waits = "it answers 20 % of the entities until a person decides: `python -m training promote 2`"
        await eventually(lambda: place.said[-1:] and waits in place.said[-1], 60, "the wait for a person")
        assert (place.registered.marks().champion, driving.done()) == ("1", False)
        changed = lambda: promote(place.registered, place.events, TOOLS, "2", by="ada", reason="", override=False)  # noqa: E731
        await asyncio.to_thread(changed)
        ended = await asyncio.wait_for(driving, 60 * PATIENCE)
    assert (ended.how, ended.reason) == ("promoted", "somebody promoted it")
    assert (place.registered.marks().champion, place.tag) == ("2", "")


async def test_a_champion_that_somebody_moved_meanwhile_ends_it(place: Place) -> None:
    driving = asyncio.create_task(place.drive().run("2"))  # nobody answers: it would stay in shadow
    await eventually(lambda: place.tag, 60, "the shadow")
    other = await asyncio.to_thread(a_candidate, place.uri, alias="champion", seed=3)
    ended = await asyncio.wait_for(driving, 60 * PATIENCE)
    assert (ended.how, ended.reason) == ("overtaken", f"the champion is {other} now, it was 1: somebody else moved it")
    assert place.tag == ""
    assert (await asyncio.to_thread(place.kinds))[-1] == "rollout-ended"


async def test_what_was_not_gated_does_not_begin(place: Place) -> None:
    with pytest.raises(PromotionError, match="version 3 has no gate report"):
        await place.drive().run("3")
    assert place.tag == ""


async def test_killed_and_started_again_it_goes_on_where_it_was(
    place: Place, run_service: Callable[..., ServiceProcess]
) -> None:
    loop = place.folder / "loop.yaml"
    loop.write_text(
        "rollout: {steps: {shadow_seconds: 0.5, shadow_events: 50, shares: [20, 100], seconds: 3, events: 50}}"
    )
    command = ("training", "rollout", "2", "--loop", str(loop))
    async with answering(place.registered, place.bootstrap, place.prefix):
        first = await asyncio.to_thread(run_service, "first", *command, **place.settings)
        await eventually(lambda: "canary" in (place.tag or ""), 60, "the canary")
        await asyncio.to_thread(first.kill)
        second = await asyncio.to_thread(run_service, "second", *command, **place.settings)
        assert await asyncio.to_thread(second.wait, 90) == 0, second.tail(20)
    assert place.registered.marks().champion == "2"
    assert "goes on answers 20 % of the entities" in second.log.read_text()
    kinds = await asyncio.to_thread(place.kinds)
    assert kinds.count("promoted") == 1
    assert kinds.count("rollout-changed") == 3


async def test_end_takes_it_out_and_a_tag_that_is_no_rollout(
    place: Place, run_service: Callable[..., ServiceProcess]
) -> None:
    driving = asyncio.create_task(place.drive().run("2"))
    await eventually(lambda: place.tag, 60, "the shadow")
    command = ("training", "rollout", "2", "--end", "--reason", "we changed our minds")
    process = await asyncio.to_thread(run_service, "end", *command, **place.settings)
    assert await asyncio.to_thread(process.wait, 60) == 0, process.tail(20)
    ended = await asyncio.wait_for(driving, 60 * PATIENCE)
    assert (ended.how, ended.reason) == ("overtaken", "somebody else ended the rollout")
    assert "flights/2 is out: we changed our minds" in process.log.read_text()
    place.registered.set_model_tag(ROLLOUT_TAG, "version 2, please")  # nobody can read it
    result = await asyncio.to_thread(CliRunner().invoke, app, command[1:], env=place.settings)
    assert (result.exit_code, place.tag) == (0, ""), result.output
