"""LabelWindow: the labels of one window of one model version in one source partition, until the window is final."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from contracts.label_partials import LabelPartial
from stream_app.labelling.coding import tallied
from stream_app.labelling.memory import Cells, Hashes, Memory, Said
from stream_app.labelling.state import FULL, Segment, SegmentKey, encode_segment, segment_key

Whole = npt.NDArray[np.int64]
_FURTHEST = (1 << 32) - 1
"""Offsets between the first and the last label of a segment."""


class WindowName(NamedTuple):
    """One window of one model version in one source partition."""

    partition: int
    model: str
    version: str
    window_start: int


class _List(NamedTuple):
    offsets: Whole
    hashes: Hashes
    cells: Cells

    def where(self, which: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> _List:
        return _List(self.offsets[which], self.hashes[which], self.cells[which])


class LabelWindow:
    """Its list of labels, of which only the last segment is held here; and what follows from all of them.

    offset: of the last label that changed it; -1 before the first.
    """

    __slots__ = ("_baseline", "_begun", "_last", "_memory", "coding", "end", "name", "offset", "replaced", "segments")

    def __init__(self, name: WindowName, end: int, baseline: str, coding: str) -> None:
        self.name, self.end, self._baseline, self.coding = name, end, baseline, coding
        self.offset, self.replaced = -1, 0
        self.segments = 0
        self._memory = Memory()
        self._last: list[_List] = []
        self._begun = 0  # labels in the last segment

    @classmethod
    def restore(cls, name: WindowName, stored: Iterable[tuple[int, Segment]], last_offset: int) -> LabelWindow:
        """As it was when the partition's position was last_offset. stored: its segments and their numbers, at least
        one.

        What is behind the position was written by a worker that died before it could say so. Such a segment may also
        stand beside the ones that came of reading the same labels again: each offset counts once.
        """
        found = list(stored)
        newest = found[-1][1]
        window = cls(name, newest.window_end, newest.baseline, newest.coding)
        window.segments = max(number for number, _ in found) + 1  # full or not, what is there stays as it is
        joined = _joined([_read(segment) for _, segment in found])
        _, first = np.unique(joined.offsets, return_index=True)
        kept = joined.where(first[joined.offsets[first] <= last_offset])
        if kept.offsets.size:
            window._count(kept)
        return window

    @property
    def baseline(self) -> str:
        """Digest of the baseline that it was opened with."""
        return self._baseline

    @property
    def labelled(self) -> int:
        """Predictions with a label."""
        return self._memory.size

    def add(self, offsets: Whole, hashes: Hashes, cells: Cells) -> Said:
        """Labels of this window, shape (labels,) each, offsets rising and behind all that it has."""
        if self._begun >= FULL or (self._begun and int(offsets[-1]) - int(self._last[0].offsets[0]) > _FURTHEST):
            self._last, self._begun = [], 0
        said = self._memory.say(hashes, cells)
        changed = said.changed
        if changed.any():
            more = _List(offsets, hashes, cells).where(changed)
            if not self._begun:
                self.segments += 1
            self._last.append(more)
            self._begun += more.offsets.size
            self.offset = int(more.offsets[-1])
            self.replaced += int(np.count_nonzero(said.replaced))
        return said

    def stored(self) -> tuple[bytes, bytes]:
        """Key and value of the segment that the last labels are in."""
        joined = _joined(self._last)
        self._last = [joined]
        first = int(joined.offsets[0])
        segment = Segment(
            baseline=self._baseline,
            coding=self.coding,
            window_end=self.end,
            first=first,
            last=int(joined.offsets[-1]),
            offsets=(joined.offsets - first).astype("<u4").tobytes(),
            hashes=joined.hashes.astype("<u8").tobytes(),
            cells=joined.cells.astype("<u2").tobytes(),
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
            baseline=self._baseline,
            coding=self.coding,
            window_start=start,
            window_end=self.end,
            partition=partition,
            offset=self.offset,
            labelled=self.labelled,
            replaced=self.replaced,
            cells=tallied(self._memory.cells),
        )

    def _count(self, kept: _List) -> None:
        said = self._memory.say(kept.hashes, kept.cells)
        self.offset, self.replaced = int(kept.offsets[-1]), int(np.count_nonzero(said.replaced))


def _read(segment: Segment) -> _List:
    offsets = np.frombuffer(segment.offsets, dtype="<u4").astype(np.int64) + segment.first
    hashes, cells = np.frombuffer(segment.hashes, dtype="<u8"), np.frombuffer(segment.cells, dtype="<u2")
    return _List(offsets, hashes.astype(np.uint64), cells.astype(np.uint16))


def _joined(lists: list[_List]) -> _List:
    if len(lists) == 1:
        return lists[0]
    offsets, hashes, cells = (np.concatenate(part) for part in zip(*lists, strict=True))
    return _List(offsets, hashes, cells)
