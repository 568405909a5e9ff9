"""Rows of a table as events whose features are in columns: counted like any others, and never made one by one. Pure."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from contracts.baseline import Baseline
from contracts.window import WindowCounts
from stream_app.windowing.accepted import Events, Whole

Rows = npt.NDArray[np.intp]


class Share(NamedTuple):
    """The rows of one model version. rows: their positions in the stretch, rising. columns: one a monitored feature, in
    the order of the schema: float64 with NaN for missing, or a list with None. decisions: None where there is none.
    """

    baseline: Baseline
    rows: Rows
    columns: list[npt.NDArray[np.float64] | list[Any]]
    scores: npt.NDArray[np.float64]
    decisions: list[bool | None]


class ColumnEvents(Events):
    """Events without `events`. Rows that are in no share must be left out before anything is counted."""

    __slots__ = ("_ids", "_place", "_shares")

    def __init__(self, offsets: Whole, times_ms: Whole, ids: Sequence[str] | None, shares: Sequence[Share]) -> None:
        """ids: None where the table has none."""
        which, self._place = np.zeros((2, len(offsets)), dtype=np.int64)
        for number, share in enumerate(shares):
            which[share.rows], self._place[share.rows] = number, np.arange(len(share.rows))
        super().__init__((), offsets, times_ms, [share.baseline for share in shares], which)
        self._shares = shares
        self._ids = None if ids is None else np.array(ids, dtype=object)

    @property
    def ids(self) -> Sequence[str]:
        """One a row; none at all where the table has none, so that nothing is a repeat."""
        return [] if self._ids is None else self._ids.tolist()

    def take(self, positions: npt.NDArray[np.intp]) -> Self:
        """Those at these positions, which rise."""
        if len(positions) == len(self):
            return self
        taken = copy.copy(self)
        taken.offsets, taken.times_ms = self.offsets[positions], self.times_ms[positions]
        taken.which, taken._place = self.which[positions], self._place[positions]
        taken._ids = None if self._ids is None else self._ids[positions]
        return taken

    def count_into(self, counts: WindowCounts) -> None:
        """Add all of them, which are of one version."""
        share = self._shares[self.which[0]]
        counts.add_columns(
            [_taken(column, self._place) for column in share.columns],
            share.scores[self._place],
            _taken(share.decisions, self._place),
        )


def _taken(column: Any, members: Rows) -> Any:
    """These members of a column; the column itself when they are all of it."""
    if len(members) == len(column):
        return column
    return column[members] if isinstance(column, np.ndarray) else [column[i] for i in members.tolist()]
