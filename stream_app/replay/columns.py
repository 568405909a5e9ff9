"""Rows counted by column: stage 1 of a table, with the decisions of `windowing.ledger.Ledger`, taken for arrays. Pure.

A test holds both to the same: whatever the rows, events made of them and counted one by one give equal counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from contracts.partials import Heartbeat, PartialAggregate
from contracts.window import WindowCounts
from stream_app.replay.stretch import Rows, Share, Stretch, Times
from stream_app.windowing.accumulator import Touched
from stream_app.windowing.sequences import Sequences
from stream_app.windowing.tumbling import WindowConfig
from stream_app.windowing.watermark import Watermark

Flags = npt.NDArray[np.bool_]
Key = tuple[int, str, str]
"""Start of a window, model and version."""
_LONG_AGO = -(1 << 62)


class ColumnCounter:
    """Stage 1 of one virtual source partition, whose offsets are the numbers of the rows."""

    def __init__(self, config: WindowConfig) -> None:
        self.number = 0
        self._config = config
        self._watermark = Watermark(config.lateness_ms)
        self._sequences = Sequences()
        self._windows: dict[Key, WindowCounts] = {}
        self._offsets: dict[Key, int] = {}

    def apply(self, stretch: Stretch) -> Touched:
        """Count rows, in their order."""
        wanted: Flags = np.ones(len(stretch.times), dtype=np.bool_)
        if stretch.ids is not None:
            wanted[self._sequences.repeated(stretch.ids)] = False
        repeats = len(wanted) - int(wanted.sum())
        late = self._late(stretch.times, wanted)
        wanted &= ~late
        for share in stretch.shares:
            self._count(share, stretch, wanted)
        return Touched((), int(wanted.sum()), int(late.sum()), repeats, 0, len(stretch.refused))

    def due(self) -> list[PartialAggregate]:
        """The final counts of windows that are over and not yet acknowledged, by start."""
        return [self._partial(key) for key in sorted(self._windows) if self._watermark.passed(self._end(key))]

    def acknowledged(self, partial: PartialAggregate) -> bytes:
        """Forget this window. Nothing is stored, so there is no record to delete."""
        key = partial.window_start, partial.model, partial.version
        del self._windows[key], self._offsets[key]
        return b""

    def idle(self, now_ms: int) -> bool:
        """Let time pass, up to the end of the last open window."""
        if not self._windows:
            return False
        end = max(map(self._end, self._windows))
        return self._watermark.advance_idle(min(now_ms - self._config.lateness_ms, end))

    def heartbeat(self, generation: int, partitions: int, silent: bool) -> Heartbeat:
        """How far the rows are."""
        return Heartbeat(
            partition=self.number,
            partitions=partitions,
            generation=generation,
            watermark=self._watermark.value,
            idle=silent and not self._windows,
        )

    def _late(self, times: Times, wanted: Flags) -> Flags:
        """Which rows belong to a window that the rows before them have ended. Moves the watermark."""
        lateness, size = self._config.lateness_ms, self._config.size_ms
        before = _LONG_AGO if self._watermark.value is None else self._watermark.value + lateness
        # Rows that are late move nothing: they lie before the greatest time already. Repeats must not.
        seen = np.maximum.accumulate(np.concatenate([[before], np.where(wanted, times, _LONG_AGO)]))
        if seen[-1] != _LONG_AGO:
            self._watermark.observe(int(seen[-1]))
        ends = (times // size + 1) * size
        late: Flags = wanted & (ends <= seen[:-1] - lateness)
        return late

    def _count(self, share: Share, stretch: Stretch, wanted: Flags) -> None:
        chosen = np.flatnonzero(wanted[share.rows])
        if not chosen.size:
            return
        starts = stretch.times[share.rows[chosen]] // self._config.size_ms * self._config.size_ms
        distinct, group = np.unique(starts, return_inverse=True)
        order = np.argsort(group, kind="stable")
        cuts = np.searchsorted(group[order], np.arange(1, distinct.size))
        for start, members in zip(distinct.tolist(), np.split(chosen[order], cuts), strict=True):
            key = start, share.baseline.model, share.baseline.version
            if key not in self._windows:
                self._windows[key] = WindowCounts(share.baseline)
            self._windows[key].add_columns(
                [_taken(column, members) for column in share.columns],
                share.scores[members],
                _taken(share.decisions, members),
            )
            self._offsets[key] = int(stretch.numbers[share.rows[members[-1]]])

    def _end(self, key: Key) -> int:
        return key[0] + self._config.size_ms

    def _partial(self, key: Key) -> PartialAggregate:
        return self._windows[key].partial(
            window_start=key[0], window_end=self._end(key), partition=self.number, offset=self._offsets[key]
        )


def _taken(column: Any, members: Rows) -> Any:
    """These members of a column; the column itself when they are all of it."""
    if len(members) == len(column):
        return column
    return column[members] if isinstance(column, np.ndarray) else [column[i] for i in members.tolist()]
