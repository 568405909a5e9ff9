"""Tables whose recovery does not trust the order of the changelog alone, and whose writes name their partition."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import faust
from faust.stores import memory
from faust.tables.manager import TableManager
from faust.types import TP

from contracts.errors import InvalidMessage
from stream_app.delivery.batches import RecordBatch
from stream_app.windowing.records import Records

Age = Callable[[bytes, bytes], Any]
_REMEMBERED = 10_000
"""Own tombstones that are known longer than until they are read back."""
_PATIENCE_SECONDS = 2.0
"""Compaction leaves a write alone for much longer: see topic_layout.py."""
_log = logging.getLogger(__name__)


class MonotoneStore(memory.Store):  # type: ignore[misc]
    """A former owner may write late: an older value never replaces a younger one here, and does not stay the last.

    The last of a key is what a compacted log keeps. So a worker reads its changelogs back, and where an older value has
    come behind its own one, or any behind its own tombstone, that has to be written again. covered: the partition of
    each key of which the log has such a value last.
    """

    age: Age

    def __post_init__(self) -> None:
        super().__post_init__()
        self.covered: dict[bytes, int] = {}
        self._unread: set[bytes] = set()  # own last writes that were not read back yet: they lie behind what is read
        self._deleted: OrderedDict[bytes, int] = OrderedDict()  # by this worker; the partition

    def hold(self, partition: int, key: bytes, value: bytes | None) -> None:
        """What is true now; None removes. The partition is noted: losing it drops its keys (not in Faust's)."""
        if value is None:
            self.data.pop(key, None)
            self._key_partition.pop(key, None)
        else:
            self.data[key], self._key_partition[key] = value, partition

    def write(self, partition: int, key: bytes, value: bytes | None) -> None:
        """What this worker writes to the changelog now."""
        self.hold(partition, key, value)
        self._unread.add(key)
        self._deleted.pop(key, None)
        if value is None:
            self._deleted[key] = partition
            if len(self._deleted) > _REMEMBERED:
                self._deleted.popitem(last=False)

    def apply_changelog_batch(self, batch: Iterable[Any], to_key: Any, to_value: Any) -> None:
        """batch: events of a `RecordBatch` each (by record, as Faust's own are, it reads 5,500 a second)."""
        for event in batch:
            value = event.message.value
            records = value.records if type(value) is RecordBatch else [event.message]
            for record in records:
                self._take(event.message.partition, record.key, record.value, same_age=1)
        self._tell()

    def read_back(self, partition: int, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        """What the changelog has brought of a partition that this worker owns, or believes that it owns.

        Its own writes tell nothing new. Those of another worker do, when this one was away for so long (stopped, cut
        off) that its partition has a new owner: recovery goes on behind what is read here, so it is taken in here.
        """
        for key, value in zip(keys, values, strict=True):
            self._take(partition, key, value, same_age=0)  # an own write, which another own one has followed
        self._tell()

    def _take(self, partition: int, key: bytes, value: bytes | None, *, same_age: int) -> None:
        """The next record of the log. same_age: as `_younger`, for a value that is as old as the one that is held."""
        old = self.data.get(key)
        if value is None or value == old:
            younger = 1
        elif old is None:
            younger = -1 if key in self._deleted else 1
        else:
            younger = self._younger(key, value, old) or same_age
        if younger > 0:
            self.hold(partition, key, value)
            self._unread.discard(key)
            self.covered.pop(key, None)
        elif younger < 0 and key not in self._unread:
            self.covered[key] = partition

    def _younger(self, key: bytes, value: bytes, other: bytes) -> int:
        """1 if it is, -1 if the other is, 0 for the same age.

        What cannot be read is kept, so that restoring it says what is wrong: Faust would only log it here.
        """
        try:
            one, two = self.age(key, value), self.age(key, other)
        except InvalidMessage:
            return 1
        return int(one > two) - int(one < two)

    def _tell(self) -> None:
        if self.covered:
            self.table.uncover_soon()

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """What is known of lost partitions is forgotten."""
        await super().on_recovery_completed(active_tps, standby_tps)
        kept = {tp.partition for tp in active_tps}
        self.covered = {key: partition for key, partition in self.covered.items() if partition in kept}
        self._deleted = OrderedDict((key, partition) for key, partition in self._deleted.items() if partition in kept)
        self._unread.clear()  # recovery has read them, or will have them written once more, which does no harm

    def uncovered(self) -> list[tuple[int, bytes, bytes | None]]:
        """Partition, key and value of what is to be written again. It is asked once."""
        covered, self.covered = self.covered, {}
        known = [(partition, key, self.data.get(key)) for key, partition in covered.items()]
        return [(partition, key, value) for partition, key, value in known if value is not None or key in self._deleted]


class StateTable(faust.Table):  # type: ignore[misc]
    """A compacted table whose writes name their partition, so that they need no event that is being handled.

    It is the `Store` of stream_app/agents/ports.py. age: orders the values of a key, the oldest first; may raise
    InvalidMessage.
    """

    age: Age = staticmethod(lambda key, value: 0)
    _uncovering: asyncio.TimerHandle | None = None

    def _new_store(self) -> MonotoneStore:
        store = MonotoneStore("memory://", self.app, self, table_name=self.name, loop=self.loop)
        store.age = self.age
        return store

    def stored(self) -> list[tuple[bytes, bytes]]:
        """Everything, as it is now."""
        return list(self.data.data.items())

    def put(self, partition: int, key: bytes, value: bytes | None) -> asyncio.Future[object]:
        """Write to the store now and to the changelog soon; None is a tombstone. Awaiting the result is the ack."""
        former = self.data.data.get(key)
        self.data.write(partition, key, value)
        written: asyncio.Future[object] = self.send_changelog(partition, key, value, value_serializer="raw")

        def check(written: asyncio.Future[object]) -> None:
            """Faust only logs a write that failed. Its value is taken back: nobody must act on what may be lost."""
            if not written.cancelled() and (error := written.exception()) is not None:
                if self.data.data.get(key) is value:
                    self.data.hold(partition, key, former)
                self.app.when_unwritten(error)

        written.add_done_callback(check)
        return written

    def read_back(self, records: Records) -> None:
        """What the changelog has brought since recovery; see MonotoneStore."""
        self.data.read_back(records.partition, records.keys, records.values)

    def uncover_soon(self) -> None:
        """Write again what is covered, in a while: by then a worker that has slept knows which partitions it lost."""
        if self._uncovering is None:
            self._uncovering = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, self.uncover)

    def uncover(self) -> None:
        """Write again what is covered; not in a rebalance, but behind it."""
        self._uncovering = None
        if self.app.should_stop:
            return
        if not self.app.ready:
            self.uncover_soon()
            return
        if again := self.data.uncovered():
            _log.warning("%s: %s late writes of a former owner are written over", self.name, len(again))
            self.app.when_covered(len(again))
        for partition, key, value in again:
            self.put(partition, key, value)


class Tables(TableManager):  # type: ignore[misc]
    """Tables that are declared before the start."""

    async def on_start(self) -> None:
        """Faust waits a second at every start for tables that are declared late."""
        await self._update_channels()
        await self.recovery.start()

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Called when partitions have been handed out and are paused: their recovery begins. See consumer.py, (C)."""
        self.app.handed_out = self.app.rebalancing_count
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)
