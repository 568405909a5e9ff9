"""A poll becomes one Faust event per partition: Faust does 11,000 events/s a core by record and 200,000 by batch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import faust
import msgspec
from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP

from stream_app.windowing.records import Records


class Fetching(msgspec.Struct, frozen=True, kw_only=True):
    """How to read. batched: the topics that are delivered by batch, of at most batch_records records each."""

    batched: frozenset[str]
    batch_records: int = 4096
    max_wait_ms: int = 200
    min_bytes: int = 262144


class RecordBatch:
    """Records of one partition in order; to Faust it looks like one record whose offset is that of the last.

    records: none any more when it is handled. bytes: of their values. taken: when it was made, in seconds of the clock
    that never goes back. writes: what was put into the changelog for it; see `durable`.
    """

    __slots__ = ("bytes", "epoch", "first_offset", "offset", "partition", "records", "taken", "topic", "writes")
    key, headers = None, ()
    timestamp_type = checksum = None
    timestamp = serialized_key_size = serialized_value_size = 0  # 0: a size of None makes Faust measure the batch

    def __init__(self, tp: TP, records: Sequence[Any]) -> None:
        self.topic, self.partition, self.records = tp.topic, tp.partition, records
        self.first_offset, self.offset = records[0].offset, records[-1].offset
        values = records.values if type(records) is Records else [record.value for record in records]
        self.bytes = sum(map(len, filter(None, values)))
        self.epoch, self.taken = 0, time.monotonic()
        self.writes: list[asyncio.Future[object]] = []

    @property
    def value(self) -> RecordBatch:
        """What Faust hands on as the record's value. (An attribute would be a cycle, and outlive its use.)"""
        return self

    @property
    def durable(self) -> bool:
        """The changelog has all that was written for it: a commit cannot be ahead of the state."""
        return all(write.done() and not write.cancelled() and write.exception() is None for write in self.writes)


class BatchScheduler(DefaultSchedulingStrategy):  # type: ignore[misc]
    """Cuts what a poll returned into batches; other topics go record by record as before.

    records: by partition, of a batched topic in one `Records`, as parsing.py makes them. wanted: asked before each
    batch; what the poll brought of a partition that is not wanted any more is left out.
    """

    def __init__(self, fetching: Fetching, wanted: Callable[[TP], bool] = lambda tp: True) -> None:
        self.fetching, self._wanted = fetching, wanted

    def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Any]]:
        rest, size = {}, self.fetching.batch_records
        for tp, found in records.items():
            if tp.topic in self.fetching.batched:
                for whole in found if found and type(found[0]) is Records else [found]:
                    for start in range(0, len(whole), size):
                        if self._wanted(tp):
                            yield tp, RecordBatch(tp, whole[start : start + size])
            else:
                rest[tp] = found
        yield from super().iterate(rest)


class BatchSchema(faust.Schema):  # type: ignore[misc]
    """A batch is handed on as it is: decoding is the agent's business, where poison goes to dead letters."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> None:
        return None

    def loads_value(self, app: Any, message: Any, **_: Any) -> RecordBatch:
        batch: RecordBatch = message.value
        return batch
