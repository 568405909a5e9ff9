"""Following topics for the training: what went wrong is what is raised, with the broker away, too."""

from __future__ import annotations

import asyncio

import pytest

from contracts.topics import PREDICTIONS
from stream_app import admin
from stream_app.settings import StreamSettings
from tests.kafka_proxy import KafkaProxy
from tests.servers.verbs import Broker
from training.errors import PublishError
from training.topics.following import following


async def test_an_error_while_the_broker_is_away_is_not_lost_in_the_end_of_the_following(
    kafka: Broker, namespace: str
) -> None:
    settings = StreamSettings(bootstrap=kafka.bootstrap, topic_prefix=namespace)
    async with admin.connected(settings, print) as client:
        await admin.create(client, settings)
    async with KafkaProxy(kafka.bootstrap).running() as proxy:
        for _ in range(5):  # its fetch is mostly, not always, in the pause before its next try
            with pytest.raises(PublishError, match="of its own"):
                await cut_off(proxy, namespace)
            proxy.come_back()


async def cut_off(proxy: KafkaProxy, namespace: str) -> None:
    async with following(proxy.bootstrap, namespace, ((PREDICTIONS, None),)) as there:
        await there.take(0.1)
        proxy.leave()
        await asyncio.sleep(1)
        raise PublishError("of its own")
