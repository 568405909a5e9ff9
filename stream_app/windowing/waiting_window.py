"""WaitingWindow: the parts of one window in stage 2, as they are stored. They are decoded when the window closes.

A thousand source partitions with 20 features make parts of 15 MB a window and model: the bytes are those that the store
keeps anyhow, and beside them is only what is looked at while they wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from sys import intern

import msgspec

from contracts.partials import PartialAggregate
from stream_app.windowing.state import decode_part


class Part(msgspec.Struct, frozen=True, gc=False):
    """The newest part of one source partition. encoded: all of it."""

    offset: int
    rows: int
    shadow_rows: int
    baseline: str
    encoded: bytes


class WaitingWindow:
    """One window of one model version. end: milliseconds UTC. parts: by source partition."""

    __slots__ = ("end", "parts")

    def __init__(self, end: int) -> None:
        self.end = end
        self.parts: dict[int, Part] = {}

    def put(self, part: PartialAggregate, encoded: bytes) -> str | None:
        """Replace the part of its source partition; the digest of the baseline that the former one was counted with."""
        former = self.parts.get(part.partition)
        # one string for all parts of a baseline, not one for each
        self.parts[part.partition] = Part(part.offset, part.rows, part.shadow_rows, intern(part.baseline), encoded)
        return None if former is None else former.baseline

    @property
    def rows(self) -> int:
        """Of all parts."""
        return sum(part.rows for part in self.parts.values())

    @property
    def shadow_rows(self) -> int:
        """Of all parts."""
        return sum(part.shadow_rows for part in self.parts.values())

    def rows_by_baseline(self) -> dict[str, int]:
        """Rows by the digest of the baseline that they were counted with."""
        rows: dict[str, int] = {}
        for part in self.parts.values():
            rows[part.baseline] = rows.get(part.baseline, 0) + part.rows
        return rows

    def decoded(self, baseline: str) -> Iterator[PartialAggregate]:
        """The parts counted with this baseline, one at a time: all at once they would be many times what is stored."""
        for part in self.parts.values():
            if part.baseline == baseline:
                yield decode_part(part.encoded)
