"""The broker that is not there yet, and one that makes topics."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.admin import NewTopic

from stream_app import admin, readiness
from stream_app.errors import BrokerError
from stream_app.settings import StreamSettings


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address that refuses: bound and not listening."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


async def connecting(settings: StreamSettings) -> tuple[list[str], str]:
    """What is said, and the error in the end."""
    said: list[str] = []
    with pytest.raises(BrokerError) as caught:
        async with admin.connected(settings, said.append):
            raise AssertionError("connected to nobody")
    return said, str(caught.value)


async def test_a_worker_is_told_what_to_do_once_and_is_given_up_in_the_end(nobody: str) -> None:
    said, error = await connecting(StreamSettings(bootstrap=nobody, broker_wait_seconds=1.8))
    assert said == [
        f"no Kafka answers at {nobody}: start it, or correct STREAM_BOOTSTRAP; trying for 1.8 s "
        "(STREAM_BROKER_WAIT_SECONDS)"
    ]
    assert error == f"no Kafka answers at {nobody} for 1.8 s: start it, or correct STREAM_BOOTSTRAP"


async def test_how_long_is_left_is_said_now_and_then(nobody: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "Seldom", partial(readiness.Seldom, seconds=1.0))
    said, _ = await connecting(StreamSettings(bootstrap=nobody, broker_wait_seconds=3.6))  # at 0, .5, 1.5 and 3.5 s
    assert re.fullmatch(rf"no Kafka answers at {nobody} yet: [012] s left", said[1])
    assert len(said) == 2


class FakeAdmin:
    """A broker with these topics, each with so many copies; what it is not told of a topic is as Kafka has it."""

    def __init__(self, copies: dict[str, int]) -> None:
        self.topics = {name: NewTopic(name, 4, number) for name, number in copies.items()}
        self.waiting = self

    async def until_ready(self, ask: Any) -> Any:
        return await ask()

    async def controller_known(self) -> None:
        pass

    async def describe_topics(self, names: list[str] | None = None) -> list[dict[str, Any]]:
        return [
            {
                "topic": name,
                "partitions": [{"replicas": list(range(topic.replication_factor))}] * topic.num_partitions,
            }
            for name, topic in self.topics.items()
            if names is None or name in names
        ]

    async def describe_configs(self, resources: list[Any]) -> list[Any]:
        default = {"cleanup.policy": "compact", "max.message.bytes": str(1 << 30), "min.insync.replicas": "1"}
        return [
            SimpleNamespace(
                resources=[
                    (0, "", 2, one.name, list((default | self.topics[one.name].topic_configs).items()))
                    for one in resources
                ]
            )
        ]

    async def create_topics(self, new: list[NewTopic], timeout_ms: int) -> Any:
        self.topics |= {topic.name: topic for topic in new}
        return SimpleNamespace(topic_errors=[(topic.name, 0, "") for topic in new])


@pytest.mark.parametrize(("replication", "least"), [(1, None), (2, None), (3, "2")])
async def test_a_topic_is_made_with_the_copies_that_are_wished_and_three_of_them_acknowledge_together(
    replication: int, least: str | None
) -> None:
    broker: Any = FakeAdmin({})
    settings = StreamSettings(bootstrap="kafka:9092", replication=replication)
    made = await admin.create(broker, settings)
    assert {outcome.state for outcome in made} == {"created"}
    assert {topic.replication_factor for topic in broker.topics.values()} == {replication}
    assert {topic.topic_configs.get("min.insync.replicas") for topic in broker.topics.values()} == {least}
    again = await admin.create(broker, settings)
    assert not [outcome for outcome in again if "min.insync.replicas" in outcome.detail]


async def test_a_topic_that_is_there_is_judged_by_its_own_copies_and_not_by_those_that_are_wished() -> None:
    broker: Any = FakeAdmin({"baselines": 3, "alert-mutes": 1})
    for wish in (1, 3):
        settings = StreamSettings(bootstrap="kafka:9092", replication=wish)
        found = {outcome.name: outcome for outcome in await admin.create(broker, settings)}
        assert found["baselines"].state == "mismatched"
        assert "--alter --topic baselines --add-config min.insync.replicas=2`" in found["baselines"].detail
        assert (found["alert-mutes"].state, found["alert-mutes"].detail) == ("exists", "")
