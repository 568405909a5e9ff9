"""Commands that somebody waits for, connected to a broker: what they say when it goes away, or names a wrong one."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stream_app import interactive
from stream_app.replay.from_topic import TopicSource
from stream_app.replay.request import Words, request_of
from stream_app.settings import StreamSettings
from tests.builders import a_baseline
from tests.kafka_proxy import KafkaProxy
from tests.servers.verbs import Broker
from tests.streams import Stream, random_events
from tests.waiting import eventually


@pytest.fixture
async def proxy(kafka: Broker) -> AsyncIterator[KafkaProxy]:
    async with KafkaProxy(kafka.bootstrap).running() as proxy:
        yield proxy


async def test_each_absence_of_the_broker_and_its_end_is_said_once(proxy: KafkaProxy) -> None:
    said: list[str] = []
    settings = StreamSettings(bootstrap=proxy.bootstrap)
    async with interactive.connected(settings, said.append, lambda: "; that is what you see") as client:
        proxy.leave()
        await eventually(lambda: client.trouble, 12, "that it is away")
        proxy.come_back()
        await eventually(lambda: client.trouble is None, 12, "that it is back")
        proxy.mute()
        await eventually(lambda: client.trouble, 12, "that it hangs")
        proxy.speak()
        await eventually(lambda: client.trouble is None, 12, "that it is back")
    away, back = (
        f"no Kafka answers at {proxy.bootstrap}; that is what you see",
        f"Kafka at {proxy.bootstrap} answers again",
    )
    assert said == [away, back, away, back]


async def test_a_broker_that_names_an_address_where_nobody_answers_is_told_so(kafka: Broker) -> None:
    said: list[str] = []
    with socket.socket() as nobody:  # bound and not listening
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        async with (
            KafkaProxy(kafka.bootstrap, advertised=port).running() as proxy,
            interactive.connected(StreamSettings(bootstrap=proxy.bootstrap), said.append) as client,
        ):
            await eventually(lambda: client.trouble, 12, "what is wrong")
    assert said == [
        f"Kafka at {proxy.bootstrap} names 127.0.0.1:{port} as its broker, where nobody answers: see its "
        "advertised.listeners"
    ]


async def test_of_a_command_that_is_busy_itself_it_is_not_said_that_the_broker_is_away(kafka: Broker) -> None:
    said: list[str] = []
    async with interactive.connected(StreamSettings(bootstrap=kafka.bootstrap), said.append) as client:
        for _ in range(25):  # 15 s: two looks in vain take six
            time.sleep(0.6)  # noqa: ASYNC251  # as it counts records
            await asyncio.sleep(0)
        assert (client.trouble, said) == (None, [])


async def test_a_replay_says_that_the_broker_is_away_while_it_reads_and_goes_on_when_it_is_back(
    proxy: KafkaProxy, kafka: Broker, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    async with Stream(kafka.bootstrap, namespace, tmp_path) as stream:
        await stream.publish_baseline(a_baseline())
        await stream.send(random_events(400, stream.fresh_hour(), per_second=20))
        for name, value in {**stream.env, "STREAM_BOOTSTRAP": proxy.bootstrap}.items():
            monkeypatch.setenv(name, value)
        async with TopicSource.opened(request_of(Words()), said.append, lambda: time.time_ns() // 1_000_000) as source:
            proxy.leave()
            await eventually(lambda: said, 12, "that it is away")
            proxy.come_back()
            await eventually(lambda: len(said) == 2, 12, "that it is back")
            async for _ in source.steps():
                pass
            assert source.replay.totals.read == 400
    assert said == [f"no Kafka answers at {proxy.bootstrap}", f"Kafka at {proxy.bootstrap} answers again"]
