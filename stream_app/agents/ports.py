"""What the agents ask of the outside: batches, the consumer group, stored state and a way to send."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from contracts.baseline import Baseline
from contracts.headers import Headers
from contracts.mutes import Mute
from stream_app.alerting.policy_state import PolicyState
from stream_app.windowing.decoding import SourceRecord


class Batch(Protocol):
    """Records of one partition in the order of their offsets; first_offset and offset are those of its two ends.

    epoch: of the group membership it was read in. A batch of an older epoch than `Source.epoch` is not ours any more:
    it must change nothing, and whoever owns the partition now reads it again.

    taken: when this process had its records, by the clock that never goes back (`Clock.seconds`), or later.

    writes: what was put into the changelog for it and not awaited: its offset is committed once all of it is there.
    """

    @property
    def partition(self) -> int: ...
    @property
    def first_offset(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def epoch(self) -> int: ...
    @property
    def taken(self) -> float: ...
    @property
    def records(self) -> Sequence[SourceRecord]: ...
    @property
    def writes(self) -> list[asyncio.Future[object]]: ...


class Source(Protocol):
    """This worker's share of a topic. epoch: rebalances so far; generation: of the consumer group."""

    @property
    def epoch(self) -> int: ...
    @property
    def generation(self) -> int: ...
    @property
    def settled(self) -> bool:
        """No rebalance and no recovery is going on."""

    @property
    def stopping(self) -> bool:
        """The worker was told to stop."""

    @property
    def partitions(self) -> frozenset[int]:
        """Those assigned to this worker."""

    @property
    def count(self) -> int:
        """All partitions of the topic."""

    def began(self, partition: int) -> int | None:
        """The offset at which reading began after the last rebalance; None when it is the beginning of the log."""

    def end(self, partition: int) -> int | None:
        """The offset behind the log's last record, as the last fetch said; None before the first."""

    def answered(self, partition: int) -> int | None:
        """When this process took in the last answer to a fetch of this partition, milliseconds UTC; None before that.

        The broker may have given it long before, when the process was stopped in between; but not before the answer
        before it was taken in, for only then was it asked for.
        """

    @property
    def answer_seconds(self) -> float:
        """Within so many seconds a broker that can be reached answers a fetch."""

    def leader(self, partition: int) -> int | None:
        """Which broker leads this partition and says where its log ends; None where that is not known now."""

    def drained(self, partition: int) -> bool:
        """Whether everything up to the log's end was fetched, and all that was delivered of it is finished."""

    def committed(self, partition: int) -> int | None:
        """The offset that the group has committed; None before the first commit."""

    async def start(self, partition: int) -> int:
        """The offset of the log's first record."""

    async def reread_from(self, partition: int, offset: int) -> None:
        """Read again from there. What is on its way is not committed, and its batches are of no epoch any more. Raises
        KafkaError and TimeoutError; then nothing is read again.
        """

    def abandon(self, partition: int) -> None:
        """What was delivered of this partition and is not finished must not be committed."""


class Store(Protocol):
    """The state of the partitions that this worker owns, durable in a changelog."""

    def stored(self) -> Iterable[tuple[bytes, bytes]]:
        """Everything; other partitions' records may be among it."""

    def put(self, partition: int, key: bytes, value: bytes | None) -> asyncio.Future[object]:
        """Written at once for stored(), and taken back when the changelog refuses it. None deletes.

        The result is done when the changelog has it.
        """


class Outlet(Protocol):
    """The producer."""

    async def publish(
        self, topic: str, value: bytes, *, key: bytes | None, partition: int, headers: Headers
    ) -> Awaitable[object]:
        """Put into the send buffer, in order by partition; awaiting the result waits for the acknowledgement."""


class KnownAlerts(Protocol):
    """What was said before this worker began, and what is not to be said."""

    def state(self, model: str, version: str) -> PolicyState:
        """The alert policy's state as far as `drift-alerts` tells it."""

    def mutes(self, model: str, version: str, window_end: datetime) -> tuple[Mute, ...]:
        """Those that are in force for a window that ends then."""


class KnownBaselines(Protocol):
    """The topic `baselines`; both mappings are live."""

    @property
    def by_version(self) -> Mapping[tuple[str, str], Baseline]: ...
    @property
    def by_digest(self) -> Mapping[str, Baseline]: ...

    async def refresh(self) -> None:
        """Read to the topic's end."""
