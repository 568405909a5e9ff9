"""WindowCounts: every histogram of one window of one model version.

Stage 1 fills it, stage 2 adds it up, the drift statistics read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from contracts.baseline import Baseline
from contracts.errors import InvalidMessage
from contracts.events import PredictionEvent
from contracts.histogram import Histogram, width_of
from contracts.histogram_row import HistogramRow, values_of
from contracts.partials import PartialAggregate

FEW = 100
"""Up to so many rows are counted into all features at once; from there on one feature after another is faster."""


class WindowCounts:
    """Counts over one baseline's bins. `features` is in the order of the schema's monitored features.

    Other histograms may be put in their place, to be read and sent; rows are counted into those that it was made with.
    """

    __slots__ = ("_row", "baseline", "decided", "features", "positives", "rows", "score", "shadow_rows")

    def __init__(self, baseline: Baseline) -> None:
        self.baseline = baseline
        self.rows = 0
        self.positives = 0
        self.decided = 0
        self.shadow_rows = 0
        self._row = HistogramRow(baseline.layout)
        self.features: tuple[Histogram, ...] = self._row.histograms[:-1]
        self.score = self._row.histograms[-1]

    def add_events(self, events: Sequence[PredictionEvent[Any]]) -> None:
        """Count decoded events; their `features` must be structs made by this baseline's schema (`event_decoder`)."""
        if events:
            columns = list(zip(*[msgspec.structs.astuple(event.features) for event in events], strict=True))
            monitored = [columns[i] for i in self.baseline.schema.monitored_positions]
            scores, decisions = [event.score for event in events], [event.decision for event in events]
            self.add_columns(monitored, scores, decisions, sum(event.role == "shadow" for event in events))

    def add_columns(
        self,
        columns: Iterable[Any],
        scores: Sequence[float] | Any,
        decisions: Sequence[bool | None],
        shadow_rows: int = 0,
    ) -> None:
        """Count rows given by column: one sequence per monitored feature, the scores, the decisions; equal lengths.
        shadow_rows: how many of them are a shadow's."""
        columns = [*columns, scores]
        if not (0 < len(scores) <= FEW and self._row.add(columns)):
            for histogram, column in zip((*self.features, self.score), columns, strict=True):
                histogram.add(column)
        self.rows += len(scores)
        self.decided += len(scores) - decisions.count(None)
        self.positives += decisions.count(True)
        self.shadow_rows += shadow_rows

    def merge(self, other: WindowCounts) -> None:
        """Add counts of the same window (or of a neighbour) made with the same baseline."""
        if self.baseline.digest != other.baseline.digest:
            raise InvalidMessage("counts made with different baselines cannot be added")
        for mine, theirs in zip((self.score, *self.features), (other.score, *other.features), strict=True):
            mine.merge(theirs)
        self.rows += other.rows
        self.positives += other.positives
        self.decided += other.decided
        self.shadow_rows += other.shadow_rows

    def partial(self, *, window_start: int, window_end: int, partition: int, offset: int) -> PartialAggregate:
        """As it travels, and as stage 1 stores it. Times in milliseconds UTC."""
        *features, score = values_of((*self.features, self.score), width_of(self.rows))
        return PartialAggregate(
            model=self.baseline.model,
            version=self.baseline.version,
            baseline=self.baseline.digest,
            window_start=window_start,
            window_end=window_end,
            partition=partition,
            offset=offset,
            rows=self.rows,
            positives=self.positives,
            decided=self.decided,
            shadow_rows=self.shadow_rows,
            score=score,
            features=tuple(features),
        )

    @classmethod
    def of(cls, partial: PartialAggregate, baseline: Baseline) -> WindowCounts:
        """The counts a partial was made of. Raises InvalidMessage when the baseline is not the one it was made with."""
        if partial.baseline != baseline.digest:
            raise InvalidMessage(f"counted with baseline {partial.baseline}, not with {baseline.digest}")
        if len(partial.features) != len(baseline.schema.monitored):
            raise InvalidMessage(f"{len(partial.features)} features, the baseline monitors {len(baseline.features)}")
        counts = cls(baseline)
        counts.rows, counts.positives, counts.decided = partial.rows, partial.positives, partial.decided
        counts.shadow_rows = partial.shadow_rows
        for mine, theirs in zip((*counts.features, counts.score), (*partial.features, partial.score), strict=True):
            mine.take(theirs)
        return counts
