"""LabelWindow: the labels of one window of one model version in one source partition, until the window is final."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from contracts.label_partials import LabelPartial
from stream_app.labelling.coding import tallied
from stream_app.labelling.memory import Memory, Said
from stream_app.labelling.state import FULL, Segment, SegmentKey, encode_segment, segment_key

_FURTHEST = (1 << 32) - 1
"""Offsets between the first and the last label of a segment."""


class WindowName(NamedTuple):
    """One window of one model version in one source partition."""

    partition: int
    model: str
    version: str
    window_start: int


class _Last:
    """The segment that the last labels are in. offsets: from the first label's on; hashes, cells: as many."""

    __slots__ = ("cells", "first", "hashes", "offsets")

    def __init__(self, first: int) -> None:
        self.first = first
        self.offsets, self.hashes, self.cells = array("I"), array("Q"), array("H")


class LabelWindow:
    """Its list of labels, of which only the last segment is held here; and what follows from all of them.

    offset: of the last label that changed it; -1 before the first.
    """

    __slots__ = ("_last", "_memory", "baseline", "coding", "end", "name", "offset", "replaced", "segments")

    def __init__(self, name: WindowName, end: int, baseline: str, coding: str) -> None:
        self.name, self.end, self.baseline, self.coding = name, end, baseline, coding
        self.offset, self.replaced = -1, 0
        self.segments = 0
        self._memory = Memory()
        self._last: _Last | None = None

    @classmethod
    def restore(cls, name: WindowName, stored: Iterable[tuple[int, Segment]], last_offset: int) -> LabelWindow:
        """As it was when the partition's position was last_offset. stored: its segments and their numbers, at least
        one, rising.

        What is behind the position was written by a worker that died before it could say so. Such a segment may also
        stand beside the ones that came of reading the same labels again: each offset counts once.
        """
        found = list(stored)
        newest = found[-1][1]
        window = cls(name, newest.window_end, newest.baseline, newest.coding)
        window.segments = found[-1][0] + 1  # full or not, what is there stays as it is
        offsets, hashes, cells = (np.concatenate(part) for part in zip(*(_read(s) for _, s in found), strict=True))
        _, first = np.unique(offsets, return_index=True)
        kept = first[offsets[first] <= last_offset]
        if kept.size:
            said = window._memory.say(hashes[kept].tolist(), cells[kept].tolist())
            window.offset, window.replaced = int(offsets[kept[-1]]), said.replaced
        return window

    @property
    def labelled(self) -> int:
        """Predictions with a label."""
        return self._memory.size

    def add(self, offsets: Sequence[int], hashes: Sequence[int], cells: Sequence[int]) -> Said:
        """Labels of this window, at least one, offsets rising and behind all that it has."""
        said = self._memory.say(hashes, cells)
        if not said.changed:
            return said
        last = self._last
        if last is None or len(last.offsets) >= FULL or offsets[-1] - last.first > _FURTHEST:
            last = self._last = _Last(offsets[said.changed[0]])
            self.segments += 1
        for position in said.changed:
            last.offsets.append(offsets[position] - last.first)
            last.hashes.append(hashes[position])
            last.cells.append(cells[position])
        self.offset = offsets[said.changed[-1]]
        self.replaced += said.replaced
        return said

    def stored(self) -> tuple[bytes, bytes]:
        """Key and value of the segment that the last labels are in. Raises ValueError before the first add()."""
        last = self._last
        if last is None:
            raise ValueError(f"{self.name}: nothing was added")
        segment = Segment(
            baseline=self.baseline,
            coding=self.coding,
            window_end=self.end,
            first=last.first,
            last=last.first + last.offsets[-1],
            offsets=_bytes(last.offsets),
            hashes=_bytes(last.hashes),
            cells=_bytes(last.cells),
        )
        return segment_key(SegmentKey(*self.name, self.segments - 1)), encode_segment(segment)

    def keys(self) -> Iterator[bytes]:
        """Keys of all its records."""
        for number in range(self.segments):
            yield segment_key(SegmentKey(*self.name, number))

    def part(self) -> LabelPartial:
        """How it stands, as it is sent."""
        partition, model, version, start = self.name
        return LabelPartial(
            model=model,
            version=version,
            baseline=self.baseline,
            coding=self.coding,
            window_start=start,
            window_end=self.end,
            partition=partition,
            offset=self.offset,
            labelled=self.labelled,
            replaced=self.replaced,
            cells=tallied(self._memory.cells),
        )


def _read(segment: Segment) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Offsets, hashes and cells."""
    offsets = np.frombuffer(segment.offsets, dtype="<u4").astype(np.int64) + segment.first
    return offsets, np.frombuffer(segment.hashes, dtype="<u8"), np.frombuffer(segment.cells, dtype="<u2")


def _bytes(values: array[int]) -> bytes:
    """Little endian."""
    if sys.byteorder == "big":
        values = array(values.typecode, values)
        values.byteswap()
    return values.tobytes()
