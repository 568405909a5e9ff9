"""The sink's ends at Kafka: a consumer of its own group, the dead letters, and waiting until the broker is there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, NodeNotReadyError

from contracts.dead_letters import DeadLetter, encode_dead_letter
from contracts.headers import DEAD_LETTERED, cloud_event
from contracts.topics import DEAD_LETTERS
from stream_app.alerting.errors import NotAcknowledged
from stream_app.alerting.progress import read_beyond
from stream_app.alerting.settings import SinkSettings
from stream_app.readiness import check_ready

_log = logging.getLogger(__name__)
_FIRST_WAIT, _GREATEST_WAIT = 0.2, 5.0
_STOP_SECONDS = 5.0
_LARGEST = int(DEAD_LETTERS.config["max.message.bytes"])


def consumer_of(sink: str, settings: SinkSettings) -> AIOKafkaConsumer:
    """Not started, not subscribed. Offsets are committed by the reader alone."""
    return AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap,
        client_id=f"tidemark-sink-{sink}",
        group_id=_group(sink, settings),
        auto_offset_reset=settings.start,
        enable_auto_commit=False,
        # the shortest a broker allows by default: a sink that takes over from a killed one begins after this
        session_timeout_ms=6_000,
        heartbeat_interval_ms=2_000,
    )


async def finished_beyond(sink: str, settings: SinkSettings, partition: TopicPartition) -> frozenset[int]:
    """What the group has finished after the offset that it committed. Raises KafkaError.

    Asked through the admin client: the consumer's own look-up leaves the metadata out.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap)
    await admin.start()
    try:
        held = await admin.list_consumer_group_offsets(_group(sink, settings), partitions=[partition])
    finally:
        await admin.close()
    return read_beyond(held[partition].metadata) if partition in held else frozenset()


def _group(sink: str, settings: SinkSettings) -> str:
    return f"{settings.topic_prefix}tidemark-sink-{sink}"


def producer_of(sink: str, settings: SinkSettings) -> AIOKafkaProducer:
    """Not started. Not idempotent: a dead letter that is repeated is known by its id, and sending can go on after any
    outage, while an idempotent producer that gave up a record is of no further use."""
    return AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap,
        client_id=f"tidemark-sink-{sink}",
        acks="all",
        request_timeout_ms=10_000,
        max_request_size=_LARGEST,
    )


class KafkaDeadLetters:
    """The topic `dead-letters`. source: the CloudEvents source, which tells one sink's letters from another's."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, source: str) -> None:
        self._producer = producer
        self._topic = topic
        self._source = source

    async def put(self, letter: DeadLetter) -> None:
        """Returns when Kafka has it. Raises NotAcknowledged."""
        headers = cloud_event(DEAD_LETTERED, letter.id, self._source, time=datetime.now(UTC).isoformat())
        try:
            await self._producer.send_and_wait(
                self._topic, encode_dead_letter(letter), key=letter.id.encode(), headers=headers
            )
        except KafkaError as error:
            raise NotAcknowledged(f"topic {self._topic}: {type(error).__name__}: {error}") from error


async def started(
    make: Callable[[], AIOKafkaConsumer | AIOKafkaProducer], address: str, pause: Callable[[float], Awaitable[bool]]
) -> AIOKafkaConsumer | AIOKafkaProducer | None:
    """A started client, as soon as the broker answers and is ready; None when the pause says to stop. Says once that it
    waits.
    """
    wait, said = _FIRST_WAIT, False
    while True:
        client = make()
        try:
            await client.start()
            check_ready(client)
        except (KafkaError, OSError) as error:
            await stop(client)
            if not said:
                what = "is not ready" if isinstance(error, NodeNotReadyError) else "does not answer"
                _log.warning("Kafka at %s %s (%s); waiting for it", address, what, type(error).__name__)
                said = True
            if await pause(wait):
                return None
            wait = min(2 * wait, _GREATEST_WAIT)
        else:
            if said:
                _log.warning("Kafka at %s answers", address)
            return client


async def stop(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Stop a client, in a task of its own and not for long: with the broker away aiokafka's stop() may wait for
    answers, and may end with the CancelledError of its own fetch task, which would look like ours."""
    stopping = asyncio.create_task(client.stop())
    await asyncio.wait({stopping}, timeout=_STOP_SECONDS)
    if not stopping.done():
        _log.warning("a Kafka client did not close within %g s; it ends with the process", _STOP_SECONDS)
    elif not stopping.cancelled() and (error := stopping.exception()) is not None:
        _log.warning("a Kafka client did not close cleanly: %s: %s", type(error).__name__, error)


async def topics_exist(
    consumer: AIOKafkaConsumer, topics: tuple[str, ...], pause: Callable[[float], Awaitable[bool]]
) -> bool:
    """Wait until the topics are there; False when the pause says to stop. Says once that it waits, and what to do.

    Without it the client would notice a topic that is created later only after its metadata has aged for minutes.
    """
    said = False
    while missing := sorted(set(topics) - await _known(consumer)):
        if not said:
            names = ", ".join(missing)
            _log.warning("no topic %s on the broker yet; waiting (python -m stream_app topics makes them)", names)
            said = True
        if await pause(1.0):
            return False
    return True


async def _known(consumer: AIOKafkaConsumer) -> set[str]:
    try:
        return set(await consumer.topics())
    except KafkaError:  # the broker went away again: as good as having none of the topics
        return set()
