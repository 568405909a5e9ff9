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
_log = logging.getLogger(__name__)


class MonotoneStore(memory.Store):  # type: ignore[misc]
    """A former owner may write late: an older value never replaces a younger one here, and does not stay the last.

    The last of a key is what a compacted log keeps. So a worker reads its changelogs back, and where an older value has
    come behind its own one, or any behind its own tombstone, that has to be written again. covered: keys of which
    recovery has found so.
    """

    age: Age

    def __post_init__(self) -> None:
        super().__post_init__()
        self.covered: set[bytes] = set()
        self._unread: set[bytes] = set()  # own last writes that were not read back yet: they lie behind what is read
        self._deleted: OrderedDict[bytes, None] = OrderedDict()  # by this worker

    def hold(self, partition: int, key: bytes, value: bytes | None) -> None:
        """What the changelog has; None removes. The partition is noted: losing it drops its keys (not in Faust's)."""
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
            self._deleted[key] = None
            if len(self._deleted) > _REMEMBERED:
                self._deleted.popitem(last=False)

    def apply_changelog_batch(self, batch: Iterable[Any], to_key: Any, to_value: Any) -> None:
        """batch: events of a `RecordBatch` each (by record, as Faust's own are, it reads 5,500 a second)."""
        for event in batch:
            partition, value = event.message.partition, event.message.value
            for record in value.records if type(value) is RecordBatch else [event.message]:
                key, value = record.key, record.value
                old = self.data.get(key)
                if value is not None and old is not None and self._younger(key, value, old) < 0:
                    self.covered.add(key)
                else:
                    self.hold(partition, key, value)
                    self.covered.discard(key)

    def recovered(self) -> list[tuple[int, bytes]]:
        """Partition and key of what recovery has found covered; it is asked once."""
        covered = [(self._key_partition[key], key) for key in sorted(self.covered) if key in self._key_partition]
        self.covered.clear()
        self._unread.clear()  # recovery has read them, or will have them written once more, which does no harm
        return covered

    def read_back(self, partition: int, keys: Sequence[bytes], values: Sequence[bytes | None]) -> list[bytes]:
        """What the changelog has brought of a partition that this worker owns, or believes that it owns.

        Its own writes tell nothing new. Those of another worker do, when this one was away for so long (stopped, cut
        off) that its partition has a new owner: recovery goes on behind what is read here, so it is taken in here.

        Returns the keys of which an older value covers the one that is held.
        """
        covered = []
        for key, value in zip(keys, values, strict=True):
            old = self.data.get(key)
            if old is None and value is not None:
                younger = -1 if key in self._deleted else 1
            else:
                younger = 0 if value == old else 1 if value is None else self._younger(key, value, old)
            if younger < 0:
                if key not in self._unread:
                    covered.append(key)
            elif younger > 0 or value == old:  # of the same age: an own write, which another own one has followed
                self.hold(partition, key, value)
                self._unread.discard(key)
        return covered

    def _younger(self, key: bytes, value: bytes, other: bytes) -> int:
        """1 if it is, -1 if the other is, 0 for the same age.

        What cannot be read is kept, so that restoring it says what is wrong: Faust would only log it here.
        """
        try:
            one, two = self.age(key, value), self.age(key, other)
        except InvalidMessage:
            return 1
        return int(one > two) - int(one < two)


class StateTable(faust.Table):  # type: ignore[misc]
    """A compacted table whose writes name their partition, so that they need no event that is being handled.

    It is the `Store` of stream_app/agents/ports.py. age: orders the values of a key, the oldest first; may raise
    InvalidMessage.
    """

    age: Age = staticmethod(lambda key, value: 0)

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
        covered = self.data.read_back(records.partition, records.keys, records.values)
        self._uncover([(records.partition, key) for key in covered])

    def recovered(self) -> None:
        """Recovery has read all that there is."""
        self._uncover(self.data.recovered())

    def _uncover(self, covered: Sequence[tuple[int, bytes]]) -> None:
        """Write again what is held, behind what a former owner wrote late: compaction would leave that alone."""
        if covered:
            _log.warning("%s: %s late writes of a former owner are written over", self.name, len(covered))
            self.app.when_covered(len(covered))
        for partition, key in covered:
            self.put(partition, key, self.data.data.get(key))


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
