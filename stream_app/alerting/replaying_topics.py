"""What a replay of dead alerts reads and writes: `dead-letters`, `drift-alerts` and `resent-letters`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from contracts.alerts import decode_alert
from contracts.dead_letters import decode_dead_letter
from contracts.errors import InvalidMessage
from contracts.headers import RESENT, cloud_event
from contracts.resent_letters import How, ResentLetter, decode_resent, encode_resent
from contracts.times import moment
from contracts.topics import DEAD_LETTERS, DRIFT_ALERTS, RESENT_LETTERS
from stream_app.alerting import broker
from stream_app.alerting.errors import NotAcknowledged, SinkError
from stream_app.alerting.replaying import SOURCE, DeadAlert, Place, dead_alert
from stream_app.alerting.settings import SinkSettings
from stream_app.present import records

_ANSWER_SECONDS = 10.0
_READ = (DEAD_LETTERS, DRIFT_ALERTS, RESENT_LETTERS)


class Found(msgspec.Struct, frozen=True):
    """As the topics are now. dead: in the order of `dead-letters`. useless: letters' ids, and why they cannot be sent.
    settled: (sink, letter). newest: by incident, where its last alert lies.
    """

    dead: list[DeadAlert]
    useless: dict[str, str]
    settled: set[tuple[str, str]]
    newest: dict[str, Place]


async def found(settings: SinkSettings) -> Found:
    """Read everything to its present end. Raises SinkError."""
    await _check(settings)
    letters, alerts, resent = (topic.named(settings.topic_prefix) for topic in _READ)
    dead: list[DeadAlert] = []
    useless: dict[str, str] = {}
    settled: set[tuple[str, str]] = set()
    newest: dict[str, Place] = {}
    try:
        async for record in records(settings.bootstrap, letters):
            try:
                letter = decode_dead_letter(record.value or b"")
            except InvalidMessage:
                continue  # anybody may write to a topic: what is no letter is nobody's alert
            source = (dict(record.headers).get("ce_source") or b"").decode(errors="replace")
            one = dead_alert(letter, source, alerts, moment(record.timestamp))
            if isinstance(one, str):
                useless[letter.id] = one
            elif one is not None:
                dead.append(one)
        async for record in records(settings.bootstrap, resent):
            try:
                marked = decode_resent(record.value or b"")
            except InvalidMessage:
                continue
            settled.add((marked.sink, marked.letter))
        async for record in records(settings.bootstrap, alerts):
            try:
                alert = decode_alert(record.value or b"")
            except InvalidMessage:
                continue  # the sinks have made it a dead letter
            newest[alert.incident] = Place(record.partition, record.offset)
    except KafkaError as error:
        raise SinkError(f"Kafka at {settings.bootstrap}: {type(error).__name__}: {error}") from error
    return Found(dead, useless, settled, newest)


async def _check(settings: SinkSettings) -> None:
    """Whether the broker answers and has the topics; asking for all topics creates none."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.bootstrap)
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            await consumer.start()
            known = await consumer.topics()
    except (KafkaError, OSError) as error:  # TimeoutError is one
        raise SinkError(f"no Kafka answers at {settings.bootstrap}: start it, or correct SINK_BOOTSTRAP") from error
    finally:
        await broker.stop(consumer)
    if missing := [name for name in (topic.named(settings.topic_prefix) for topic in _READ) if name not in known]:
        raise SinkError(f"no topic {', '.join(missing)} on the broker: `python -m stream_app topics` makes them")


class Settled:
    """Writes down what was settled."""

    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self._producer = producer
        self._topic = topic

    async def put(self, one: DeadAlert, how: How) -> None:
        """Returns when Kafka has it. Raises NotAcknowledged."""
        now = datetime.now(UTC)
        resent = ResentLetter(letter=one.letter, sink=one.sink, alert=one.alert.id, how=how, at=now)
        headers = cloud_event(RESENT, resent.key.decode(), f"{SOURCE}{one.sink}", time=now.isoformat())
        try:
            await self._producer.send_and_wait(self._topic, encode_resent(resent), key=resent.key, headers=headers)
        except KafkaError as error:
            raise NotAcknowledged(
                f"alert {one.alert.id} is {how} at {one.sink}, and Kafka does not take a note of it "
                f"({type(error).__name__}): another replay will send it again"
            ) from error


@asynccontextmanager
async def settling(settings: SinkSettings) -> AsyncIterator[Settled]:
    """Raises SinkError."""
    producer = broker.producer_of("replay", settings)
    try:
        await producer.start()
        yield Settled(producer, RESENT_LETTERS.named(settings.topic_prefix))
    except (KafkaError, OSError) as error:
        raise SinkError(f"Kafka at {settings.bootstrap}: {type(error).__name__}: {error}") from error
    finally:
        await broker.stop(producer)
