"""Reads topics for a replay: without a group, so nothing is committed and no worker is disturbed; nothing is produced.

Records come by partition; the replay needs them by time. A partition that is behind is read on, the others wait.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from contracts.errors import InvalidBaseline, InvalidEvent
from contracts.events import decode_envelope, event_time_ms
from contracts.mutes import Mute
from contracts.topics import ALERT_MUTES, BASELINES, PREDICTIONS
from stream_app import admin, interactive
from stream_app.alerting.known_alerts import learn
from stream_app.baselines import said
from stream_app.errors import BrokerError, TopicsError
from stream_app.present import POLLS_IN_VAIN, WAIT_MS
from stream_app.readiness import in_the_middle, stopped
from stream_app.replay.known import Change
from stream_app.replay.spans import Held, Span
from stream_app.settings import StreamSettings
from stream_app.windowing.decoding import Limits
from stream_app.windowing.typed import Version

_WAITING = 20_000
"""Records read at a time; those of a partition wait while others are read on."""
LEAD = 200
"""Records looked at before a span, to know how far time was there."""
Say = Callable[[str], None]


class Batch(NamedTuple):
    """Records of one partition. floor: all that were stamped before this time have been read, of every partition."""

    number: int
    records: list[ConsumerRecord]
    floor: int


class TopicReader:
    """A consumer of one topic that commits nothing; see `opened`."""

    def __init__(self, consumer: Any, topic: str, partitions: int) -> None:
        self._consumer, self._topic = consumer, topic
        self._all = [TopicPartition(topic, number) for number in range(partitions)]

    async def logs(self, since: int | None, before: int | None) -> dict[int, Held]:
        """What each partition holds, and where these times are; milliseconds UTC."""
        starts, ends = (
            await self._consumer.beginning_offsets(self._all),
            await self._consumer.end_offsets(self._all),
        )
        first = {} if since is None else await self._consumer.offsets_for_times(dict.fromkeys(self._all, since))
        last = {} if before is None else await self._consumer.offsets_for_times(dict.fromkeys(self._all, before))
        return {
            tp.partition: Held(starts[tp], ends[tp], _offset(first.get(tp)), _offset(last.get(tp))) for tp in self._all
        }

    async def before(self, number: int, span: Span, log: Held) -> list[ConsumerRecord]:
        """Records by which to tell how far time was at the head of a span: the last before it, else its first one."""
        if span.begins or span.first >= span.end:
            return []
        first = max(log.start, span.first - LEAD)
        end = span.first if first < span.first else span.first + 1
        lead = Span(first, end, False, False)
        return [record async for batch in self.read({number: lead}) for record in batch.records]

    async def read(self, spans: Mapping[int, Span]) -> AsyncIterator[Batch]:
        """Everything in the spans, each partition's in order; the one that is furthest behind in time first."""
        open_ = {
            TopicPartition(self._topic, number): span.end for number, span in spans.items() if span.end > span.first
        }
        if not open_:
            return
        self._consumer.assign(list(open_))
        for tp in open_:
            self._consumer.seek(tp, spans[tp.partition].first)
        reached, vain = dict.fromkeys(open_, -1), 0
        while open_:
            least = min(reached[tp] for tp in open_)
            behind = [tp for tp in open_ if reached[tp] == least]
            fetched = await self._consumer.getmany(*behind, timeout_ms=WAIT_MS, max_records=_WAITING)
            for tp, records in fetched.items():
                wanted = [record for record in records if record.offset < open_[tp]]
                if wanted:
                    reached[tp] = max(reached[tp], wanted[-1].timestamp)
                    yield Batch(tp.partition, wanted, min(reached[tp] for tp in open_))
            for tp in behind:
                if await self._consumer.position(tp) >= open_[tp]:
                    del open_[tp]
            if not fetched:
                yield Batch(behind[0].partition, [], least)  # nothing yet: whoever asked may have changed their mind
            vain = 0 if fetched else vain + 1
            if open_ and vain >= POLLS_IN_VAIN:
                raise BrokerError(
                    f"Kafka gives no more records of {self._topic} for a minute: is it up? Try again then"
                )


@asynccontextmanager
async def opened(settings: StreamSettings, topic: str, existing: Mapping[str, int]) -> AsyncIterator[TopicReader]:
    """Raises TopicsError when the topic is not there (asking for it could create it), BrokerError when Kafka fails."""
    if topic not in existing:
        raise TopicsError(
            f"there is no topic {topic} at {settings.bootstrap}: correct STREAM_TOPIC_PREFIX, or create it with "
            "`python -m stream_app topics`"
        )
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap, enable_auto_commit=False, auto_offset_reset="none", group_id=None
    )
    try:
        await consumer.start()
        consumer.assign([TopicPartition(topic, number) for number in range(existing[topic])])
        yield TopicReader(consumer, topic, existing[topic])
    except KafkaError as error:
        raise in_the_middle(settings.bootstrap, error) from error
    finally:
        await stopped(consumer)


@asynccontextmanager
async def topics(settings: StreamSettings, say: Say) -> AsyncIterator[dict[str, int]]:
    """Partitions of every topic. Within, a Kafka that goes away is said. Raises BrokerError."""
    async with interactive.connected(settings, say) as client:
        yield await admin.partitions(client)


async def baseline_changes(settings: StreamSettings, existing: Mapping[str, int], say: Say) -> list[Change]:
    """All that the topic `baselines` still says, in its order."""
    changes: list[Change] = []
    keys: dict[bytes, Version] = {}
    async for records in _all(settings, settings.topic(BASELINES), existing):
        changes += changes_of(records, keys, say)
    return changes


async def mutes(settings: StreamSettings, existing: Mapping[str, int], say: Say) -> tuple[Mute, ...]:
    """Every mute that the topic `alert-mutes` has; none where there is no such topic."""
    name, found = settings.topic(ALERT_MUTES), dict[bytes, Mute]()
    if name in existing:
        async for records in _all(settings, name, existing):
            for record in records:
                learn(record, found, say)
    return tuple(found.values())


async def _all(
    settings: StreamSettings, topic: str, existing: Mapping[str, int]
) -> AsyncIterator[list[ConsumerRecord]]:
    """All that a topic holds now, in lists of one partition each."""
    async with opened(settings, topic, existing) as reader:
        logs = await reader.logs(None, None)
        async for batch in reader.read({number: Span(log.start, log.end, True, False) for number, log in logs.items()}):
            yield batch.records


def changes_of(records: Iterable[ConsumerRecord], keys: dict[bytes, Version], say: Say) -> Iterable[Change]:
    """What records of the topic `baselines` say. keys: whose baseline each key was last; filled as they are read."""
    for record in records:
        try:
            found = said(record, keys)
        except InvalidBaseline as error:
            say(f"{record.topic}/{record.partition} offset {record.offset} is passed over: {error}")
            continue
        if found is not None:
            yield Change(record.timestamp, *found)


def predictions(settings: StreamSettings) -> str:
    """The topic that is replayed."""
    return settings.topic(PREDICTIONS)


def greatest_time(records: Iterable[ConsumerRecord], limits: Limits) -> int | None:
    """The greatest event time among records that could be counted; milliseconds UTC."""
    times = []
    for record in records:
        try:
            time_ms = event_time_ms(decode_envelope(record.value or b""))
        except InvalidEvent:
            continue
        if record.timestamp - limits.max_age_ms <= time_ms <= record.timestamp + limits.max_future_ms:
            times.append(time_ms)
    return max(times, default=None)


def _offset(found: Any) -> int | None:
    return None if found is None else int(found.offset)
