"""Tables whose recovery does not trust the order of the changelog alone, and whose writes name their partition."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import faust
from faust.stores import memory
from faust.tables.manager import TableManager
from faust.types import TP

from contracts.errors import InvalidMessage
from stream_app.delivery.batches import RecordBatch

Age = Callable[[bytes, bytes], Any]


class MonotoneStore(memory.Store):  # type: ignore[misc]
    """In recovery an older value of a key never replaces a younger one: a former owner may have written late."""

    age: Age
    replaced = 0

    def hold(self, partition: int, key: bytes, value: bytes | None) -> None:
        """A live write; None removes. The partition is noted, so that losing it drops its keys (Faust's does not)."""
        if value is None:
            self.data.pop(key, None)
            self._key_partition.pop(key, None)
        else:
            self.data[key], self._key_partition[key] = value, partition

    def apply_changelog_batch(self, batch: Iterable[Any], to_key: Any, to_value: Any) -> None:
        """batch: events of a `RecordBatch` each (by record, as Faust's own are, it reads 5,500 a second)."""
        for event in batch:
            partition, value = event.message.partition, event.message.value
            for record in value.records if type(value) is RecordBatch else [event.message]:
                key, value = record.key, record.value
                old = self.data.get(key)
                if value is not None and old is not None and self._older(key, value, old):
                    self.replaced += 1
                else:
                    self.hold(partition, key, value)

    def read_back(self, partition: int, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        """What the changelog has brought of a partition that this worker owns, or believes that it owns.

        Its own writes tell nothing new. Those of another worker do, when this one was away for so long (stopped, cut
        off) that its partition has a new owner: recovery goes on behind what is read here, so it is taken in here.
        """
        for key, value in zip(keys, values, strict=True):
            old = self.data.get(key)
            # of the same age: an own write, which another own one has followed
            if value != old and (value is None or old is None or self._younger(key, value, old)):
                self.hold(partition, key, value)

    def _younger(self, key: bytes, value: bytes, other: bytes) -> bool:
        """What cannot be read counts as younger: see `_older`."""
        try:
            return bool(self.age(key, value) > self.age(key, other))
        except InvalidMessage:
            return True

    def _older(self, key: bytes, value: bytes, other: bytes) -> bool:
        """What cannot be read is kept, so that restoring it says what is wrong: Faust would only log it here."""
        try:
            return bool(self.age(key, value) < self.age(key, other))
        except InvalidMessage:
            return False


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
        self.data.hold(partition, key, value)
        written: asyncio.Future[object] = self.send_changelog(partition, key, value, value_serializer="raw")

        def check(written: asyncio.Future[object]) -> None:
            """Faust only logs a write that failed. Its value is taken back: nobody must act on what may be lost."""
            if not written.cancelled() and (error := written.exception()) is not None:
                if self.data.data.get(key) is value:
                    self.data.hold(partition, key, former)
                self.app.when_unwritten(error)

        written.add_done_callback(check)
        return written


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
