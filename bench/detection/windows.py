"""Windows of the twenty features: quiet ones by their counts alone, drifted ones with the drifted column in rows.

The counts of n independent rows over fixed bins are multinomial, with the true masses of the bins as probabilities.
features.py knows these masses exactly, so drawing counts is the same as drawing rows and counting them, for any n, and
a window of 100,000 rows costs as little as one of 500. Only the smallest and largest value are not drawn: nothing that
decides about an alarm reads them. tests/unit/bench/detection/test_windows.py holds both ways against each other.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bench.detection.features import FEATURES, SCORE, THRESHOLD, Column, Numbers, Rng
from contracts.baseline import Baseline
from contracts.binning import Bins
from contracts.histogram import Histogram
from contracts.reports import DriftReport
from contracts.window import WindowCounts
from stream_app.drift.report import report
from stream_app.drift.rule import CALIBRATED, DecisionRule

_WINDOW_MS = 3_600_000


class Windows:
    """Windows to be compared with one baseline of the twenty features."""

    def __init__(self, baseline: Baseline) -> None:
        self.baseline = baseline
        references = baseline.features
        self._masses = [feature.masses(references[feature.name].bins) for feature in FEATURES]  # type: ignore[arg-type]
        bins = baseline.score.bins
        assert isinstance(bins, Bins)
        below = np.concatenate(([0.0], SCORE.below(bins.edge_array), [1.0]))
        least = float(SCORE.below(np.array([THRESHOLD]))[0])
        self._negative: Numbers = np.diff(np.minimum(below, least))
        self._positive: Numbers = np.diff(np.maximum(below, least))

    def quiet(self, rng: Rng, rows: int, drifted: Mapping[str, Column] | None = None) -> WindowCounts:
        """A window of `rows` rows as the reference has them. drifted: raw columns in place of some features' own."""
        window = WindowCounts(self.baseline)
        for feature, histogram, masses in zip(FEATURES, window.features, self._masses, strict=True):
            if drifted is not None and feature.name in drifted:
                histogram.add(drifted[feature.name])
            else:
                histogram.missing = int(rng.binomial(rows, feature.missing))
                _draw(rng, histogram, rows - histogram.missing, masses)
        window.positives = int(rng.binomial(rows, self._positive.sum()))
        _draw(rng, window.score, window.positives, self._positive)
        _draw(rng, window.score, rows - window.positives, self._negative)
        window.rows = window.decided = rows
        return window

    def report(self, window: WindowCounts, number: int = 0, rule: DecisionRule = CALIBRATED) -> DriftReport:
        """What the stream would report of the window of this number, counted from 0."""
        start = number * _WINDOW_MS
        return report(
            self.baseline,
            window,
            window_start=start,
            window_end=start + _WINDOW_MS,
            rows=window.rows,
            merged_windows=0,
            partitions={0: window.rows},
            rule=rule,
        )


def counted(baseline: Baseline, columns: tuple[Column, ...], scores: Numbers) -> WindowCounts:
    """A window of raw rows, counted as the stream does it."""
    window = WindowCounts(baseline)
    window.add_columns(columns, scores, (scores >= THRESHOLD).tolist())
    return window


def _draw(rng: Rng, histogram: Histogram, values: int, masses: Numbers) -> None:
    histogram.counts += rng.multinomial(values, masses / masses.sum())
