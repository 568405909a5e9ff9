"""Events: those of a batch that can be counted, by column.

By column, because what is done to a whole column at once costs a fiftieth of a loop over events, and because a thousand
decoded events are more than fits beside a processor: their values are, without what Python wraps them in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from contracts.baseline import Baseline
from contracts.window import WindowCounts
from stream_app.windowing.records import Whole

Rows = npt.NDArray[np.intp]
Column = npt.NDArray[np.float64] | list[Any]


class Accepted(NamedTuple):
    """One that can be counted. time_ms: its event time. baseline: of its version; features: by position in its schema,
    None where missing."""

    offset: int
    time_ms: int
    features: dict[int, Any]
    score: float
    decision: bool | None
    baseline: Baseline


class Share(NamedTuple):
    """The events of one model version. rows: their positions among all; the rest has a value for each of these.

    columns: by the feature's position in the schema, the monitored ones at least: float64 with NaN for missing where it
    is numeric, else a list with None. decisions: None where there is none. shadows: which are a shadow's; None: no one.
    """

    baseline: Baseline
    rows: Rows
    columns: Mapping[int, Column]
    scores: npt.NDArray[np.float64]
    decisions: list[bool | None]
    shadows: npt.NDArray[np.bool_] | None = None


class Events:
    """Events in the order of their offsets; iterating gives them one by one.

    offsets, times_ms, which: equally long, int64 of shape (n,). which: the position of each event's baseline in
    `baselines`, where each is once. times_ms: event times in milliseconds UTC.
    """

    __slots__ = ("_ids", "_place", "_shares", "baselines", "offsets", "times_ms", "which")

    def __init__(self, offsets: Whole, times_ms: Whole, ids: Sequence[str] | None, shares: Sequence[Share]) -> None:
        """ids: None where there are none. Events that are in no share must be left out before anything is counted."""
        self.offsets, self.times_ms, self._ids, self._shares = offsets, times_ms, ids, shares
        self.baselines = [share.baseline for share in shares]
        self.which, self._place = np.zeros((2, len(offsets)), dtype=np.int64)
        for number, share in enumerate(shares):
            self.which[share.rows], self._place[share.rows] = number, np.arange(len(share.rows))

    @classmethod
    def none(cls) -> Events:
        """No event at all."""
        nothing = np.zeros(0, dtype=np.int64)
        return cls(nothing, nothing, [], [])

    def __len__(self) -> int:
        return len(self.times_ms)

    @property
    def ids(self) -> Sequence[str]:
        """One an event; none at all where they have none, so that nothing is a repeat."""
        return [] if self._ids is None else self._ids

    @property
    def decisions(self) -> list[bool | None]:
        """Of these events, which are of one version."""
        decisions: list[bool | None] = _taken(self._share.decisions, self._place)
        return decisions

    @property
    def shadow_rows(self) -> int:
        """How many of these events, which are of one version, are a shadow's."""
        shadows = self._share.shadows
        return 0 if shadows is None else int(shadows[self._place].sum())

    def count_into(self, counts: WindowCounts) -> None:
        """Add all of them, which are of one version. A feature that their schema does not have is missing."""
        share, mine = self._share, counts.baseline.schema
        positions: Sequence[int] = mine.monitored_positions
        if mine is not share.baseline.schema and mine != share.baseline.schema:
            theirs = {(feature.name, feature.kind): i for i, feature in enumerate(share.baseline.schema.features)}
            positions = [theirs.get((feature.name, feature.kind), -1) for feature in mine.monitored]
        nothing, scores, decisions = [None] * len(share.rows), share.scores, share.decisions
        columns = [share.columns.get(i, nothing) for i in positions]
        if len(self) < len(share.rows):
            *columns, scores, decisions = [_taken(column, self._place) for column in (*columns, scores, decisions)]
        counts.add_columns(columns, scores, decisions, self.shadow_rows)

    def __getitem__(self, position: int) -> Accepted:
        share, row = self._shares[self.which[position]], self._place[position]
        features = {i: _value(column[row]) for i, column in share.columns.items()}
        said = float(share.scores[row]), share.decisions[row]
        return Accepted(int(self.offsets[position]), int(self.times_ms[position]), features, *said, share.baseline)

    def __iter__(self) -> Iterator[Accepted]:
        return (self[position] for position in range(len(self)))

    def take(self, positions: Rows) -> Events:
        """Those at these positions, which rise."""
        if len(positions) == len(self):
            return self
        taken = Events.none()
        taken._shares, taken.baselines = self._shares, self.baselines
        taken.offsets, taken.times_ms = self.offsets[positions], self.times_ms[positions]
        taken.which, taken._place = self.which[positions], self._place[positions]
        taken._ids = None if self._ids is None else [self._ids[position] for position in positions.tolist()]
        return taken

    def without(self, positions: Sequence[int] | Rows) -> Events:
        """All but those at these positions."""
        left = np.ones(len(self), dtype=np.bool_)
        left[positions] = False
        return self.take(np.flatnonzero(left))

    def behind(self, offset: int) -> Events:
        """Those with a greater offset."""
        if not len(self) or self.offsets[0] > offset:
            return self
        return self.take(np.flatnonzero(self.offsets > offset))

    def by_baseline(self) -> list[tuple[Baseline, int]]:
        """How many events each baseline has, those with none left out."""
        if len(self.baselines) == 1:
            return [(self.baselines[0], len(self))] if len(self) else []
        amounts = np.bincount(self.which, minlength=len(self.baselines)).tolist()
        return [found for found in zip(self.baselines, amounts, strict=True) if found[1]]

    @property
    def _share(self) -> Share:
        share: Share = self._shares[self.which[0]]
        return share


def _taken(column: Any, members: Rows) -> Any:
    """These members of a column; the column itself when they are all of it: counting asks for no order."""
    if len(members) == len(column):
        return column
    return column[members] if isinstance(column, np.ndarray) else [column[i] for i in members.tolist()]


def _value(value: Any) -> Any:
    """None for a missing number."""
    return None if value is None or value != value else value
