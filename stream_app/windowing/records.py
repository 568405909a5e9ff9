"""Records: those of one source partition in a row, by column; each by itself only where somebody asks for it.

A worker reads a hundred thousand a second and looks at one of them when it becomes a dead letter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import msgspec
import numpy as np
import numpy.typing as npt

Whole = npt.NDArray[np.int64]


class Record(msgspec.Struct, frozen=True, gc=False):
    """A `SourceRecord` of decoding.py."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Records(Sequence[Record]):
    """In the order of their offsets. offsets, timestamps: int64, shape (n,); keys, values: as many."""

    __slots__ = ("keys", "offsets", "partition", "timestamps", "topic", "values")

    def __init__(
        self,
        topic: str,
        partition: int,
        offsets: Whole,
        timestamps: Whole,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
    ) -> None:
        self.topic, self.partition = topic, partition
        self.offsets, self.timestamps, self.keys, self.values = offsets, timestamps, keys, values

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, at: int) -> Record: ...
    @overload
    def __getitem__(self, at: slice) -> Records: ...
    def __getitem__(self, at: int | slice) -> Record | Records:
        if isinstance(at, int):
            place = self.topic, self.partition, int(self.offsets[at]), int(self.timestamps[at])
            return Record(*place, self.keys[at], self.values[at])
        if at.indices(len(self)) == (0, len(self), 1):
            return self
        return Records(
            self.topic, self.partition, self.offsets[at], self.timestamps[at], self.keys[at], self.values[at]
        )

    def __iter__(self) -> Iterator[Record]:
        columns = zip(self.offsets.tolist(), self.timestamps.tolist(), self.keys, self.values, strict=True)
        return (Record(self.topic, self.partition, *row) for row in columns)
