"""Commands that somebody waits for, connected to a broker: what they say when it goes away, or names a wrong one."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import pytest

from stream_app import interactive
from stream_app.settings import StreamSettings
from tests.kafka_proxy import KafkaProxy
from tests.servers.verbs import Broker
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
