"""VersionWindows: the windows of one model version in stage 2, those that wait and what is remembered of the closed."""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from contracts.partials import PartialAggregate
from stream_app.windowing.closing import Closing
from stream_app.windowing.merged_state import VersionRecord, rows_closed

Rows = dict[int, dict[int, int]]
"""Length of a window in milliseconds -> source partition -> rows."""


class VersionWindows:
    """The stored record of a version and the parts of its windows, thin ones included."""

    __slots__ = ("_parts", "_seen", "record")

    def __init__(self, record: VersionRecord) -> None:
        self.record = record
        self._parts: dict[int, dict[int, PartialAggregate]] = {}
        self._seen = record.offset

    @property
    def pending(self) -> list[int]:
        """Starts of the windows that wait to be closed, rising."""
        return sorted(start for start in self._parts if not self._is_closed(start))

    def parts(self, start: int) -> list[PartialAggregate]:
        """The newest parts of a window that waits or is thin, by source partition."""
        return [part for _, part in sorted(self._parts.get(start, {}).items())]

    def keep(self, part: PartialAggregate) -> None:
        """Put a stored part back. One that a crash left below the horizon is there for the next close() to return."""
        self._parts.setdefault(part.window_start, {})[part.partition] = part

    def take(self, part: PartialAggregate, offset: int, *, remember: int) -> Literal["pending", "late", "repeat"]:
        """Put a part where it belongs. offset: of its record, by which one that is delivered again is recognised."""
        seen_before = offset <= self.record.offset
        self._seen = max(self._seen, offset)
        same_start = self._parts.get(part.window_start, {})
        # Another length: the window size was changed while this window waited.
        fits = all(other.window_end == part.window_end for other in same_start.values())
        if self._is_closed(part.window_start) or not fits:
            return "repeat" if seen_before or not self._add_late(part, remember) else "late"
        mine = same_start.get(part.partition)
        if mine is not None and part.offset <= mine.offset:
            return "repeat"
        self._parts.setdefault(part.window_start, {})[part.partition] = part
        return "pending"

    def close(
        self, closing: Closing, *, thin: tuple[int, ...], policy: bytes | None, remember: int
    ) -> list[PartialAggregate]:
        """Move the horizon over the version's next window. thin: the thin windows from now on.

        Returns the parts that are not needed any more. Raises ValueError when it is not the next window.
        """
        start, pending = closing.window_start, self.pending
        if start not in pending[:1]:
            raise ValueError(f"window {start} of {closing.model}/{closing.version} is not the next: {pending[:1]}")
        parts = self.parts(start)
        memory = {closing.window_end - start: {part.partition: part.rows for part in parts}}
        self.record = replace(
            self.record,
            horizon=start,
            reports=self.record.reports + 1,
            reported_rows=self.record.reported_rows + closing.rows,
            offset=self._seen,
            closed=_remember(self.record.closed, start, memory, remember),
            thin=thin,
            policy=self.record.policy if policy is None else policy,
        )
        gone = [earlier for earlier in sorted(self._parts) if earlier <= start and earlier not in thin]
        return [part for earlier in gone for _, part in sorted(self._parts.pop(earlier).items())]

    def _is_closed(self, start: int) -> bool:
        return self.record.horizon is not None and start <= self.record.horizon

    def _add_late(self, part: PartialAggregate, remember: int) -> bool:
        additional = part.rows - rows_closed(self.record, part)
        if additional <= 0:
            return False
        memory = {part.window_end - part.window_start: {part.partition: part.rows}}
        self.record = replace(
            self.record,
            late_rows=self.record.late_rows + additional,
            offset=self._seen,
            closed=_remember(self.record.closed, part.window_start, memory, remember),
        )
        return True


def _remember(closed: dict[int, Rows], start: int, more: Rows, capacity: int) -> dict[int, Rows]:
    """The memory with more rows of one window, as the window touched last; the oldest beyond the capacity dropped."""
    known = closed.get(start, {})
    window = {length: {**known.get(length, {}), **more.get(length, {})} for length in {**known, **more}}
    kept = {other: rows for other, rows in closed.items() if other != start}
    for oldest in list(kept)[: max(0, len(kept) + 1 - capacity)]:
        del kept[oldest]
    return {**kept, start: window}
