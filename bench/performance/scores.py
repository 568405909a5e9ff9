"""Scores of made-up models with their truths, and baselines that know how the scores turned out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from contracts.baseline import Baseline
from contracts.performance import PerformanceReport
from contracts.schema import Feature, FeatureSchema
from stream_app.performance.counting import OutcomeCounts
from stream_app.performance.report import report
from training.baselines.histograms import Origin, count_positives, count_references
from training.baselines.outcomes import with_outcomes

Floats = npt.NDArray[np.float64]
Rng = np.random.Generator
_CREATED = datetime(2026, 1, 1, tzinfo=UTC)
_HOUR_MS = 3_600_000
_SCHEMA = FeatureSchema((Feature("x", "numeric"),))


class Rows(NamedTuple):
    """scores, and truths 0 and 1; shape (rows,) each."""

    scores: Floats
    truths: npt.NDArray[np.int64]


Draw = Callable[[Rng, int], Rows]


def normal(centre: float, sd: float, slope: float = 1.0) -> Draw:
    """Scores whose log odds are N(centre, sd^2) and which are the chances of truth 1; with less slope of the truth's
    log odds over the score's they rank worse."""

    def draw(rng: Rng, rows: int) -> Rows:
        odds = rng.normal(centre, sd, rows)
        truths = rng.random(rows) < chance(centre + slope * (odds - centre))
        return Rows(chance(odds), truths.astype(np.int64))

    return draw


def of_scores(scores: Callable[[Rng, int], Floats]) -> Draw:
    """Scores that are the chances of truth 1."""

    def draw(rng: Rng, rows: int) -> Rows:
        drawn = scores(rng, rows)
        return Rows(drawn, (rng.random(rows) < drawn).astype(np.int64))

    return draw


MODELS: dict[str, Draw] = {
    "a fifth positive": normal(-1.6, 1.0),
    "half positive": normal(0.0, 2.0),
    "2 % positive": normal(-5.0, 1.7),
    "seven scores": of_scores(lambda rng, rows: rng.integers(0, 7, rows) / 7),
    "two decimals": of_scores(lambda rng, rows: np.round(rng.beta(1, 6, rows), 2)),
    "half are zero": of_scores(lambda rng, rows: np.where(rng.random(rows) < 0.5, 0.0, rng.beta(1, 3, rows))),
}


def baseline_of(rows: Rows, seed: int, share: float = 0.1) -> Baseline:
    """As training makes it. share: of the rows that are decided positively."""
    frame = pd.DataFrame({"x": np.arange(len(rows.scores), dtype=np.float64)})
    counted = count_references(frame, _SCHEMA, rows.scores, seed)
    threshold = float(np.quantile(rows.scores, 1 - share))
    origin = Origin("made-up", str(seed), _CREATED, "", "")
    plain = counted.baseline(origin, threshold, count_positives(rows.scores, threshold))
    return with_outcomes(plain, rows.scores, rows.truths)


def counted(baseline: Baseline, rows: Rows) -> OutcomeCounts:
    """The labels of a window."""
    counts = OutcomeCounts(baseline)
    counts.add(rows.scores, rows.truths)
    return counts


def judged(baseline: Baseline, rows: Rows, number: int = 0) -> PerformanceReport:
    """The n-th window, all of it labelled."""
    return report(
        baseline,
        counted(baseline, rows),
        window_start=number * _HOUR_MS,
        window_end=(number + 1) * _HOUR_MS,
        revision=1,
        predictions=len(rows.scores),
        final=True,
    )


def chance(odds: Floats) -> Floats:
    """Of log odds."""
    share: Floats = 1 / (1 + np.exp(-odds))
    return share
