"""Scored: a classifier's outcomes as arrays, with the score that each bin stands for."""

from __future__ import annotations

from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from contracts.baseline import Baseline
from contracts.binning import Bins
from contracts.outcomes import Outcomes
from stream_app.performance.bins import Floats, scores_are_probabilities


class ScoreBins:
    """What is known of a baseline's score bins. means: the score that each stands for, its middle within 0 and 1, None
    where scores are no probabilities. single: which hold one value only, so that their rows are ties; shape (bins,).
    """

    def __init__(self, baseline: Baseline) -> None:
        bins = baseline.score.bins
        assert isinstance(bins, Bins)
        self.single: npt.NDArray[np.bool_] = bins.atoms
        self.means: Floats | None = None
        if scores_are_probabilities(baseline):
            bounds = np.clip(np.concatenate([[0.0], bins.edge_array, [1.0]]), 0.0, 1.0)
            self.means = (bounds[:-1] + bounds[1:]) / 2


@lru_cache(maxsize=64)
def score_bins(baseline: Baseline) -> ScoreBins:
    """Remembered for the last few baselines."""
    return ScoreBins(baseline)


class Scored:
    """negatives, positives: rows in each bin, lowest scores first; float64, shape (bins,). Expected ones need not be
    whole."""

    def __init__(self, bins: ScoreBins, negatives: Floats, positives: Floats) -> None:
        self.bins = bins
        self.negatives, self.positives = negatives, positives
        self.n, self.p = float(self.negatives.sum()), float(self.positives.sum())
        """All rows of truth 0, and of truth 1."""

    @classmethod
    def of(cls, bins: ScoreBins, outcomes: Outcomes) -> Scored:
        """The rows of outcomes over the same bins."""
        return cls(bins, np.array(outcomes.negatives, dtype=np.float64), np.array(outcomes.positives, dtype=np.float64))

    @property
    def rows(self) -> float:
        """All rows."""
        return self.n + self.p

    @cached_property
    def both(self) -> Floats:
        """Rows in each bin."""
        return self.negatives + self.positives
