"""Reads what the status shows: the state topics, followed; the last heartbeats; the group; the logs' ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError, for_code

from contracts.errors import InvalidMessage
from contracts.partials import Heartbeat
from stream_app.admin import Admin
from stream_app.errors import StateError
from stream_app.present import fetched
from stream_app.readiness import in_the_middle, not_fetching, stopped
from stream_app.settings import StreamSettings
from stream_app.status.counted import Counted
from stream_app.status.hearing import LISTEN_SECONDS, Hearing
from stream_app.status.picture import Member, Seen
from stream_app.windowing.newest import Newest

_BACK_MS = 60_000
"""Heartbeats older than this are not looked for: there are two a second for each partition."""


class Reader:
    """Follows an installation. Use `reading()`; each read() is one moment. counted: what it counts."""

    def __init__(self, settings: StreamSettings, admin: Admin, consumer: AIOKafkaConsumer, counted: Counted) -> None:
        self._settings, self._admin, self._consumer, self._counted = settings, admin, consumer, counted
        self._source, self._partials = settings.topic(counted.source), settings.topic(counted.partials)
        self._counts, self._windows = Newest(counted.ages[0]), Newest(counted.ages[1])
        self._hearing = Hearing()
        self._clock_ahead = 0
        self._unreadable = 0
        self._sources: list[TopicPartition] = []
        self._merging: list[TopicPartition] = []
        self._followed: list[TopicPartition] = []

    async def begin(self, partitions: dict[str, int]) -> None:
        """Take up the topics. partitions: of every topic, by full name."""

        def all_of(topic: str) -> list[TopicPartition]:
            return [TopicPartition(topic, number) for number in range(partitions[topic])]

        self._sources, self._merging = all_of(self._source), all_of(self._partials)
        # Heartbeats go to every partition of the partials' topic, so one of them has them all.
        beats = self._merging[0]
        self._followed = [*(tp for state in self._counted.states for tp in all_of(state)), beats]
        self._consumer.assign([*self._followed, *self._sources, *self._merging[1:]])
        self._consumer.pause(*self._sources, *self._merging[1:])
        found = (await self._consumer.offsets_for_times({beats: _now() - _BACK_MS}))[beats]
        if found is None:
            await self._consumer.seek_to_end(beats)
        else:
            self._consumer.seek(beats, found.offset)

    async def read(self) -> Seen:
        """The present moment. Raises BrokerError and StateError."""
        try:
            await self._follow()
            state, members = await self._group()
            if self._hearing.in_doubt((number for member in members for number in member.source), _now()):
                await self._listen()
            stage1 = self._counted.stage1(self._counts.values.items())
            stage2 = self._counted.stage2(self._windows.values.items())
            committed = await self._admin.waiting.until_ready(
                lambda: self._admin.list_consumer_group_offsets(self._counted.group)
            )
            return Seen(
                now=_now(),
                group=self._counted.group,
                group_state=state,
                members=members,
                logs=await self._logs(self._sources),
                merging_logs=await self._logs(self._merging),
                merging_committed={
                    tp.partition: at.offset for tp, at in committed.items() if tp.topic == self._partials
                },
                heard=dict(self._hearing.heard),
                metas=stage1.metas,
                open_windows=stage1.open_windows,
                versions=stage2.versions,
                parts=stage2.parts,
                unreadable=self._unreadable,
                counts=self._counted.source.name,
                clock_ahead=self._clock_ahead,
            )
        except KafkaError as error:
            raise in_the_middle(self._settings.bootstrap, error) from error
        except InvalidMessage as error:
            raise StateError(f"a stored record cannot be read ({error}): run the version that wrote it") from error

    async def _listen(self) -> None:
        """Some worker seems silent: is its clock another one? Who speaks within a moment is not silent."""
        await self._follow()
        await asyncio.sleep(LISTEN_SECONDS)
        await self._follow()
        self._clock_ahead = self._hearing.clock_ahead(_now())

    async def _follow(self) -> None:
        self._hearing.begin(_now())
        with not_fetching(self._consumer):
            ends = await self._consumer.end_offsets(self._followed)
        async for batch in fetched(self._consumer, ends):
            for record in batch:
                self._take(record.topic, record)

    def _take(self, topic: str, record: Any) -> None:
        if topic == self._counted.states[0]:
            self._counts.take(record.key or b"", record.value)
        elif topic == self._counted.states[1]:
            self._windows.take(record.key or b"", record.value)
        else:
            self._hear(record)

    def _hear(self, record: Any) -> None:
        try:
            message = self._counted.decode(record.value or b"")
        except InvalidMessage:
            self._unreadable += 1  # stage 2 makes a dead letter of it; whoever wrote it, the picture needs it not
            return
        if isinstance(message, Heartbeat):
            self._hearing.take(message, record.timestamp, _now())

    async def _logs(self, partitions: list[TopicPartition]) -> dict[int, tuple[int, int]]:
        with not_fetching(self._consumer):
            starts = await self._consumer.beginning_offsets(partitions)
            ends = await self._consumer.end_offsets(partitions)
        return {tp.partition: (starts[tp], ends[tp]) for tp in partitions}

    async def _group(self) -> tuple[str, tuple[Member, ...]]:
        state, members = await self._admin.waiting.until_ready(self._described)  # the first group takes a moment
        if state in ("", "Dead"):  # as Kafka calls a group that nobody ever joined, or that it has forgotten
            state = "Empty"
        return state, tuple(self._member(*member) for member in members)

    async def _described(self) -> tuple[str, list[Any]]:
        (answer,) = await self._admin.describe_consumer_groups([self._counted.group])
        ((code, _, state, _, _, members, *_),) = answer.groups
        if code:
            raise for_code(code)()
        return state, members

    def _member(self, id_: str, _client: str, host: str, _metadata: bytes, assignment: bytes) -> Member:
        assigned: dict[str, list[int]] = {}
        if assignment:  # none while the group is rebalancing
            assigned = dict(ConsumerProtocolMemberAssignment.decode(assignment).assignment)
        source, merging = (tuple(sorted(assigned.get(topic, ()))) for topic in (self._source, self._partials))
        return Member(id=id_, host=host.removeprefix("/"), source=source, merging=merging)


@asynccontextmanager
async def reading(
    settings: StreamSettings, admin: Admin, partitions: dict[str, int], counted: Counted
) -> AsyncIterator[Reader]:
    """A reader of this installation's topics, which must be there. Raises BrokerError."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
    )
    try:
        await consumer.start()
        reader = Reader(settings, admin, consumer, counted)
        await reader.begin(partitions)
        yield reader
    except KafkaError as error:
        raise in_the_middle(settings.bootstrap, error) from error
    finally:
        await stopped(consumer)


def _now() -> int:
    return time.time_ns() // 1_000_000
