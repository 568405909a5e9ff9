"""The topic `alert-mutes`, as the commands read and write it; and the baselines, to warn of names that nobody knows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from contracts.baseline import DECISION, SCORE, Baseline
from contracts.errors import InvalidBaseline
from contracts.headers import ALERTS_MUTED, cloud_event
from contracts.mutes import Mute, encode_mute
from contracts.topics import ALERT_MUTES, BASELINES, partition_of
from stream_app import admin, interactive, present
from stream_app.alerting.known_alerts import learn
from stream_app.baselines import said
from stream_app.errors import TopicsError
from stream_app.readiness import in_the_middle
from stream_app.settings import StreamSettings
from stream_app.windowing.typed import Version

SOURCE = "/tidemark/stream_app/mute"


class MuteTopic(NamedTuple):
    """An installation's topic of mutes, which is there."""

    settings: StreamSettings
    name: str
    partitions: int

    @classmethod
    @asynccontextmanager
    async def opened(cls, settings: StreamSettings, say: Callable[[str], None]) -> AsyncIterator[MuteTopic]:
        """Raises BrokerError, and TopicsError where it is missing."""
        async with interactive.connected(settings, say) as client:
            existing = await admin.partitions(client)
            name = settings.topic(ALERT_MUTES)
            if name not in existing:
                raise TopicsError(
                    f"there is no topic {name} at {settings.bootstrap}: correct STREAM_TOPIC_PREFIX, or create it with "
                    "`python -m stream_app topics`"
                )
            yield cls(settings, name, existing[name])

    async def read(self) -> dict[bytes, Mute]:
        """Every mute by its key, those that have ended too. Raises BrokerError."""
        mutes: dict[bytes, Mute] = {}
        try:
            async for record in present.records(self.settings.bootstrap, self.name):
                learn(record, mutes)
        except KafkaError as error:
            raise in_the_middle(self.settings.bootstrap, error) from error
        return mutes

    async def write(self, mute: Mute, time: str) -> None:
        """Returns when Kafka has it. time: now, RFC 3339. Raises BrokerError."""
        producer = AIOKafkaProducer(bootstrap_servers=self.settings.bootstrap, acks="all", enable_idempotence=True)
        try:
            await producer.start()
            await producer.send_and_wait(
                self.name,
                encode_mute(mute),
                key=mute.key,
                partition=partition_of(mute.key, self.partitions),
                headers=cloud_event(ALERTS_MUTED, mute.key.decode(), SOURCE, time=time),
            )
        except KafkaError as error:
            raise in_the_middle(self.settings.bootstrap, error, "it did not take the mute: ") from error
        finally:
            await producer.stop()

    async def features(self) -> Mapping[Version, Sequence[str]]:
        """What is watched of each model version that has a baseline. Raises BrokerError."""
        keys: dict[bytes, Version] = {}
        known: dict[Version, Sequence[str]] = {}
        try:
            async for record in present.records(self.settings.bootstrap, self.settings.topic(BASELINES)):
                try:
                    found = said(record, keys)
                except InvalidBaseline:
                    continue  # a worker makes a dead letter of it; here it is only about a warning
                if found is not None:
                    version, baseline = found
                    known[version] = () if baseline is None else _watched(baseline)
        except KafkaError as error:
            raise in_the_middle(self.settings.bootstrap, error) from error
        return {version: names for version, names in known.items() if names}


def _watched(baseline: Baseline) -> Sequence[str]:
    return [*(feature.name for feature in baseline.schema.monitored), SCORE, DECISION]
