"""Made-up references of sixty windows, cut and learnt by training's own code, and windows to hold against them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from bench.detection.features import FEATURES, SCHEMA, SCORE, THRESHOLD, Column, Numbers, Rng, named
from bench.detection.reference import frame_of
from bench.detection.windows import Windows
from contracts.baseline import Baseline
from contracts.window import WindowCounts
from training.baselines.histograms import Origin, count_positives, count_references
from training.baselines.natural import Scored, with_natural_variation
from training.data.columns import feature_frame
from training.data.times import Times

WINDOWS = 60
"""What the docs recommend."""
ROWS = 1_000
EFFECT = 0.2
"""Standard deviation of the windows' effects, in the feature's own."""
_HOUR_MS = 3_600_000
_CREATED = datetime(2026, 1, 1, tzinfo=UTC)


class Source:
    """The twenty features of bench.detection, of which some have an effect in each window. baseline: of sixty such
    windows, with what is learnt from them.

    All values that a window has of such a feature are moved by the same N(0, .2 sd), or multiplied by the exponential
    of N(0, .2 sd / mean) where they cannot be negative: moving those would put them out of their range.
    """

    def __init__(self, rng: Rng, seed: int, varying: Sequence[str]) -> None:
        self._varying = tuple(varying)
        self._samples: dict[str, Numbers] = {
            name: np.asarray(named(name).column(rng, 20_000), dtype=np.float64) for name in varying
        }
        self.baseline = self._learnt(rng, seed)
        self._windows = Windows(self.baseline)
        self.report = self._windows.report

    def window(self, rng: Rng, rows: int, drifted: dict[str, Column] | None = None) -> WindowCounts:
        """A window like those of the reference. drifted: raw columns of some features in place of its own."""
        return self._windows.quiet(rng, rows, self._moved(rng, rows) | (drifted or {}))

    def _moved(self, rng: Rng, rows: int) -> dict[str, Column]:
        return {name: self._with_effect(rng, name, rows) for name in self._varying}

    def _with_effect(self, rng: Rng, name: str, rows: int) -> Column:
        values, sample = np.asarray(named(name).column(rng, rows), dtype=np.float64), self._samples[name]
        sd, mean = float(np.nanstd(sample)), float(np.nanmean(sample))
        if np.nanmin(sample) >= 0:
            return values * float(np.exp(rng.normal(0, EFFECT * sd / mean)))
        return values + rng.normal(0, EFFECT * sd)

    def _learnt(self, rng: Rng, seed: int) -> Baseline:
        rows = WINDOWS * ROWS
        moved = [self._moved(rng, ROWS) for _ in range(WINDOWS)]
        columns = tuple(
            np.concatenate([window[feature.name] for window in moved])
            if feature.name in self._varying
            else feature.column(rng, rows)
            for feature in FEATURES
        )
        frame, scores = feature_frame(frame_of(columns), SCHEMA), SCORE.column(rng, rows)
        counted = count_references(frame, SCHEMA, scores, seed)
        origin = Origin("mixed", str(seed), _CREATED, "", "")
        baseline = counted.baseline(origin, THRESHOLD, count_positives(scores, THRESHOLD))
        hours = Times("hour", np.arange(rows) // ROWS * _HOUR_MS, assumed_utc=False)
        return with_natural_variation(baseline, frame, Scored(scores, np.arange(rows)), hours, _HOUR_MS)
