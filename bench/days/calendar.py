"""The flights of 2013 by day: a model and its baseline from the first months, and a window's counts for each day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd

from contracts.baseline import Baseline, Positives, Reference
from contracts.histogram import Histogram
from contracts.reports import DriftReport
from contracts.times import milliseconds
from contracts.variation import NaturalVariation
from contracts.window import WindowCounts
from demo.datasets.flights import DESCRIPTION, MONTHS, Flights
from stream_app.drift.learning import with_learnt_nulls
from stream_app.drift.report import report
from stream_app.drift.rest import rest_of, seen_by
from stream_app.drift.rule import DecisionRule
from training.baselines.histograms import Origin
from training.data.columns import countable, feature_frame, labels_of
from training.data.samples import Samples
from training.fitting.fit import Fitted, fit
from training.fitting.pipeline import scores_of
from training.fitting.stopwatch import Stopwatch

ZONE = "America/New_York"
"""Whose midnight ends a day: the airports are New York's."""
_DAY_MS = 86_400_000
_CREATED = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Day:
    """The window of one day. late: share of its flights that came late or never."""

    date: date
    late: float
    window: WindowCounts


class Calendar:
    """A model fitted to the first months, and any day of the year as a window over its baseline's bins."""

    def __init__(self, seed: int, months: Sequence[int] = MONTHS) -> None:
        rows = pd.concat([Flights().later(month) for month in months], ignore_index=True)
        schema, labels = DESCRIPTION.schema, labels_of(rows, "late")
        samples = Samples(DESCRIPTION, Path(DESCRIPTION.file), feature_frame(rows, schema), labels)
        self.fitted: Fitted = fit(samples, "hgb", seed, None, Stopwatch())
        origin = Origin(DESCRIPTION.name, "1", _CREATED, "", "")
        fitted = self.fitted
        self.baseline = fitted.references.baseline(origin, fitted.threshold, fitted.positives, fitted.metrics)
        self.rows = rows

    @cached_property
    def known(self) -> list[Day]:
        """The days of the reference."""
        return self.known_with(lambda rows: rows)

    def known_with(self, change: Callable[[pd.DataFrame], pd.DataFrame]) -> list[Day]:
        """The days of the reference after something was done to its rows. They have the scores of the validation rows
        only, as the reference has."""
        scored = np.zeros(len(self.rows), dtype=np.bool_)
        scored[self.fitted.validation_rows] = True
        return self._days(change(self.rows), scored)

    def later(self, month: int) -> list[Day]:
        """The days of a month after those."""
        rows = Flights().later(month)
        return self._days(rows, np.ones(len(rows), dtype=np.bool_))

    def _days(self, rows: pd.DataFrame, scored: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[Day]:
        features = feature_frame(rows, DESCRIPTION.schema)
        scores = scores_of(self.fitted.pipeline, features)
        columns = [countable(features[feature.name], feature) for feature in DESCRIPTION.schema.monitored]
        arrays = [column if isinstance(column, np.ndarray) else np.array(column, dtype=object) for column in columns]
        late = rows["late"].to_numpy()
        of_row = rows["event_time"].dt.tz_convert(ZONE).dt.date.to_numpy()
        days = []
        for day in sorted(set(of_row)):
            window, at = WindowCounts(self.baseline), of_row == day
            for histogram, array in zip(window.features, arrays, strict=True):
                histogram.add(array[at])
            told = scores[at & scored]
            window.score.add(told)
            window.rows, window.decided = int(at.sum()), told.size
            window.positives = int((told >= self.fitted.threshold).sum())
            days.append(Day(day, float(late[at].mean()), window))
        return days


def learnt(baseline: Baseline, days: Sequence[Day]) -> Baseline:
    """The baseline with what is learnt from its reference's days."""
    variation = NaturalVariation(column="event_time", window_seconds=_DAY_MS / 1000, windows=len(days), learnt=True)
    windows = [day.window for day in days]
    features = zip(*(window.features for window in windows), strict=True)
    decided = [Positives(window.positives, window.decided) for window in windows]
    taught = with_learnt_nulls(baseline, features, [window.score for window in windows], decided)
    return msgspec.structs.replace(taught, natural=variation)


def without(baseline: Baseline, days: Sequence[Day]) -> Baseline:
    """The baseline without these days' rows, as if they had never been seen."""
    part = WindowCounts(baseline)
    for day in days:
        part.merge(day.window)
    references = {
        feature.name: rest_of(baseline.features[feature.name], histogram)
        for feature, histogram in zip(baseline.schema.monitored, part.features, strict=True)
    }
    positives = baseline.positives
    assert positives is not None
    return msgspec.structs.replace(
        baseline,
        features=references,
        score=rest_of(baseline.score, part.score),
        positives=Positives(positives.count - part.positives, positives.rows - part.decided),
        rows=baseline.rows - part.rows,
    )


def judged(baseline: Baseline, day: Day, rule: DecisionRule) -> DriftReport:
    """The report of a day against a baseline that has never seen it."""
    window, start = _as_seen(baseline, day.window), milliseconds(datetime.combine(day.date, time(), UTC))
    return report(
        baseline,
        window,
        window_start=start,
        window_end=start + _DAY_MS,
        rows=window.rows,
        merged_windows=0,
        partitions={0: window.rows},
        rule=rule,
    )


def _as_seen(baseline: Baseline, window: WindowCounts) -> WindowCounts:
    seen = WindowCounts(baseline)
    pairs: list[tuple[Reference, Histogram]] = [
        (baseline.features[feature.name], histogram)
        for feature, histogram in zip(baseline.schema.monitored, window.features, strict=True)
    ]
    seen.features = tuple(seen_by(reference, histogram) for reference, histogram in pairs)
    seen.score = seen_by(baseline.score, window.score)
    seen.rows, seen.decided, seen.positives = window.rows, window.decided, window.positives
    return seen
