"""VersionWindows: the windows of one model version in stage 2, those that wait and what is remembered of the closed.

Everything that is asked at each batch (what waits, until when, for which baselines) is kept up to date, not looked for.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import KeysView
from typing import Literal, NamedTuple

from msgspec.structs import replace

from contracts.mutes import Mute
from contracts.partials import PartialAggregate
from stream_app.windowing.closing import Closing
from stream_app.windowing.merged_state import (
    ClosedWindow,
    VersionRecord,
    decode_closed,
    encode_closed,
    rows_closed,
)
from stream_app.windowing.state import decode_part
from stream_app.windowing.waiting_window import WaitingWindow

Rows = dict[int, dict[int, int]]
"""Length of a window in milliseconds -> source partition -> rows."""


class Closed(NamedTuple):
    """What closing a window leaves to write. memory: the closed window's stored record, None where it was announced and
    so is there. parts: (start, source partition) of those that are not needed any more; forgotten: starts of closed
    windows that are not remembered now.
    """

    memory: bytes | None
    parts: list[tuple[int, int]]
    forgotten: list[int]


class VersionWindows:
    """The stored record of a version and the parts of its windows, thin ones included.

    pending: starts of the windows that wait to be closed, rising. announced: those of them whose report may be out:
    neither they nor windows before them take any more parts, so that it says the same when it is repeated.
    """

    __slots__ = ("_closed", "_seen", "_waited_for", "_windows", "announced", "pending", "record")

    def __init__(self, record: VersionRecord) -> None:
        self.record = record
        self.pending: list[int] = []
        self.announced: set[int] = set()
        self._windows: dict[int, WaitingWindow] = {}
        self._waited_for: dict[str, int] = {}
        self._closed: dict[int, bytes] = {}
        self._seen = record.offset

    @property
    def baselines(self) -> KeysView[str]:
        """Digests of the baselines that parts of pending windows were counted with."""
        return self._waited_for.keys()

    def baselines_of(self, start: int) -> set[str]:
        """Digests of the baselines that the parts of one window were counted with."""
        return set(self._windows[start].rows_by_baseline())

    def window(self, start: int) -> WaitingWindow:
        """A window that waits or is thin; without parts where none is left of a thin one."""
        window = self._windows.get(start)
        return WaitingWindow(start) if window is None else window

    def keep(self, part: PartialAggregate, encoded: bytes) -> None:
        """Put a stored part back. One that a crash left below the horizon is there for the next close() to return."""
        window = self._windows.get(part.window_start)
        self._put(self._opened(part) if window is None else window, part, encoded)

    def remember(self, start: int, memory: bytes) -> None:
        """Put the stored memory of a window back, once its parts are. One that still waits was announced.

        Not so where the parts are others: then a worker that lost this partition wrote it, who had read further.
        """
        self._closed[start] = memory
        window = self._windows.get(start)
        if window is not None and not self._is_closed(start):
            announced = decode_closed(memory)
            if announced.length == window.end - start and announced.rows == _rows(window):
                self.announced.add(start)

    def make_late(self, capacity: int) -> list[PartialAggregate]:
        """Once all is put back: parts of closed windows that no report has, which are taken out and counted as late.

        Another worker took them in, who did not know that one who had lost this partition was closing their window.
        """
        found = [
            decode_part(part.encoded)
            for start, window in sorted(self._windows.items())
            if self._is_closed(start) and start in self._closed
            for part in window.parts.values()
        ]
        late = [part for part in found if self._add_late(part, capacity)]
        for part in late:
            del self._windows[part.window_start].parts[part.partition]
        return late

    def announced_as(self, start: int) -> ClosedWindow | None:
        """What the report of an announced window is made of; None where it is not announced."""
        return decode_closed(self._closed[start]) if start in self.announced else None

    def announce(self, start: int, baseline: str, mutes: tuple[Mute, ...] = ()) -> bytes:
        """A pending window is reported with the parts that it has now, compared with the baseline of this digest, and
        its alerts are decided by these mutes. To be stored before its report is out.
        """
        window = self._windows[start]
        self._closed[start] = encode_closed(
            ClosedWindow(
                length=window.end - start,
                rows=_rows(window),
                reports=self.record.reports + 1,
                offset=self._seen,
                mutes=mutes,
                baseline=baseline,
            )
        )
        self.announced.add(start)
        return self._closed[start]

    def take(
        self, part: PartialAggregate, encoded: bytes, offset: int, *, capacity: int
    ) -> Literal["pending", "late", "repeat"]:
        """Put a part where it belongs. offset: of its record, by which one that is delivered again is recognised.

        capacity: how many closed windows are remembered for their late rows.
        """
        seen_before = offset <= self.record.offset
        self._seen = max(self._seen, offset)
        window = self._windows.get(part.window_start)
        # Another length: the window size was changed while this window waited.
        fits = window is None or window.end == part.window_end
        if self._is_reported(part.window_start) or not fits:
            return "repeat" if seen_before or not self._add_late(part, capacity) else "late"
        if window is None:
            window = self._opened(part)
        mine = window.parts.get(part.partition)
        # Fewer rows at a later offset: a former owner had sent all of them and deleted the window late, so that it was
        # begun again without the first.
        if mine is not None and (part.offset <= mine.offset or part.rows < mine.rows):
            return "repeat"
        self._put(window, part, encoded)
        return "pending"

    def close(self, closing: Closing, *, thin: tuple[int, ...], policy: bytes | None, capacity: int) -> Closed:
        """Move the horizon over the version's next window. thin: the thin windows from now on.

        capacity: how many closed windows are remembered. Raises ValueError when it is not the next window.
        """
        start, following = closing.window_start, self.pending[:1]
        if start not in following:
            raise ValueError(f"window {start} of {closing.model}/{closing.version} is not the next: {following}")
        window = self._windows[start]
        memory = None if start in self.announced else self.announce(start, closing.baseline.digest)
        self.announced.discard(start)
        for part in window.parts.values():
            self._no_longer_waits(part.baseline)
        del self.pending[0]
        self.record = replace(
            self.record,
            horizon=start,
            reports=self.record.reports + 1,
            reported_rows=self.record.reported_rows + closing.rows,
            offset=self._seen,
            thin=thin,
            policy=self.record.policy if policy is None else policy,
        )
        forgotten = sorted(self._closed)[: max(0, len(self._closed) - capacity)]
        for oldest in forgotten:
            del self._closed[oldest]
        gone = [earlier for earlier in sorted(self._windows) if earlier <= start and earlier not in thin]
        parts = [(earlier, partition) for earlier in gone for partition in sorted(self._windows.pop(earlier).parts)]
        return Closed(memory, parts, forgotten)

    def _opened(self, part: PartialAggregate) -> WaitingWindow:
        start = part.window_start
        window = self._windows[start] = WaitingWindow(part.window_end)
        if not self._is_closed(start):
            insort(self.pending, start)
        return window

    def _put(self, window: WaitingWindow, part: PartialAggregate, encoded: bytes) -> None:
        former = window.put(part, encoded)
        if not self._is_closed(part.window_start):
            self._waited_for[part.baseline] = self._waited_for.get(part.baseline, 0) + 1
            if former is not None:
                self._no_longer_waits(former)

    def _no_longer_waits(self, digest: str) -> None:
        self._waited_for[digest] -= 1
        if not self._waited_for[digest]:
            del self._waited_for[digest]

    def _is_closed(self, start: int) -> bool:
        return self.record.horizon is not None and start <= self.record.horizon

    def _is_reported(self, start: int) -> bool:
        """Whether it is closed, or will be with a close that is announced: that moves the horizon over it."""
        return self._is_closed(start) or (bool(self.announced) and start <= max(self.announced))

    def _add_late(self, part: PartialAggregate, capacity: int) -> bool:
        memory = self._closed.get(part.window_start)
        closed = None if memory is None else decode_closed(memory)
        additional = part.rows - rows_closed(self.record, closed, part)
        if additional <= 0:
            return False
        more = {part.window_end - part.window_start: {part.partition: part.rows}}
        self.record = replace(
            self.record,
            late_rows=self.record.late_rows + additional,
            offset=self._seen,
            closed=_remember(self.record.closed, part.window_start, more, capacity),
        )
        return True


def _rows(window: WaitingWindow) -> dict[int, int]:
    return {partition: part.rows for partition, part in sorted(window.parts.items())}


def _remember(closed: dict[int, Rows], start: int, more: Rows, capacity: int) -> dict[int, Rows]:
    """The memory with more rows of one window, as the window touched last; the oldest beyond the capacity dropped."""
    known = closed.get(start, {})
    window = {length: {**known.get(length, {}), **more.get(length, {})} for length in {**known, **more}}
    kept = {other: rows for other, rows in closed.items() if other != start}
    for oldest in list(kept)[: max(0, len(kept) + 1 - capacity)]:
        del kept[oldest]
    return {**kept, start: window}
