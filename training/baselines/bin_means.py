"""Mean score and share of positives of the rows in each bin: what comes along when rows of another kind come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from contracts.baseline import Reference
from contracts.binning import Bins, Floats, Levels
from contracts.dependence import ScoreDependence

RUNS = 48
"""About so many runs of bins of equal mass, each with a mean. 24 and 1,000 say the same of windows (measured)."""

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What the model said of rows. scores: shape (rows,). positive: 1.0 where decided positively, None where nothing is
    decided."""

    scores: Floats
    positive: Floats | None


def bin_means(reference: Reference, column: pd.Series, outcomes: Outcomes) -> ScoreDependence:
    """The means of a feature's bins. column: of a feature frame, the same rows as the outcomes."""
    bins = reference.bins
    missing = column.isna().to_numpy()
    if isinstance(bins, Levels):
        at = _level_bins(bins, column[~missing])
        starts = np.arange(bins.size)
    else:
        at = bins.edge_array.searchsorted(column.to_numpy(dtype=np.float64)[~missing], side="right")
        starts = run_starts(np.bincount(at, minlength=bins.size))
    run = np.searchsorted(starts, at, side="right") - 1
    scores = _means(run, outcomes.scores[~missing], starts.size)
    positives = None if outcomes.positive is None else _means(run, outcomes.positive[~missing], starts.size)
    return ScoreDependence(
        bin_starts=tuple(starts.tolist()),
        bin_scores=rounded(scores),
        bin_positives=None if positives is None else rounded(positives),
        missing_score=_mean(outcomes.scores[missing]),
        missing_positives=None if outcomes.positive is None else _mean(outcomes.positive[missing]),
    )


def score_means(reference: Reference, scores: Floats, threshold: float | None) -> ScoreDependence:
    """The means of the score's own bins; where no score was, the bin's middle. A chance stays between 0 and 1."""
    bins = reference.bins
    assert isinstance(bins, Bins)
    edges = bins.edge_array
    at = edges.searchsorted(scores, side="right")
    middle = np.concatenate([edges[:1], (edges[:-1] + edges[1:]) / 2, edges[-1:]])
    if bins.lowest >= 0 and bins.highest <= 1:
        middle = middle.clip(0, 1)
    counts = np.bincount(at, minlength=bins.size)
    own = np.where(counts > 0, np.bincount(at, scores, bins.size) / np.maximum(counts, 1), middle)
    positives = None
    if threshold is not None:
        decided = np.bincount(at, scores >= threshold, bins.size) / np.maximum(counts, 1)
        positives = rounded(np.where(counts > 0, decided, middle >= threshold))
    return ScoreDependence(bin_starts=tuple(range(bins.size)), bin_scores=rounded(own), bin_positives=positives)


def run_starts(counts: npt.NDArray[np.int64] | Indices) -> Indices:
    """Where runs of about equal mass start, the first at 0. A bin that is heavy enough is a run of its own.

    >>> run_starts(np.array([0, 0, 48, 0, 1, 100, 0])).tolist()
    [0, 4, 5]
    """
    slot = counts.sum() / RUNS
    starts, held = [0], 0
    for at in np.flatnonzero(counts).tolist():
        if held and (held >= slot or counts[at] >= slot):
            starts.append(at)
            held = 0
        held += int(counts[at])
    if len(starts) > 1 and held < slot / 2:
        starts.pop()  # too few rows for a mean of their own
    return np.array(starts, dtype=np.intp)


def rounded(numbers: Floats) -> tuple[float, ...]:
    """To 6 significant digits: a baseline holds many of them."""
    return tuple(float(f"{number:.6g}") for number in numbers.tolist())


def _level_bins(levels: Levels, column: pd.Series) -> Indices:
    """The bin of each value of a feature frame's column; they are all of the reference."""
    bins = dict.fromkeys(levels.rest, levels.other) | {level: i for i, level in enumerate(levels.levels)}
    if column.dtype == np.float64:  # booleans are 1.0 and 0.0 there
        return np.asarray(column.map({1.0: bins.get("true"), 0.0: bins.get("false")}), dtype=np.intp)
    return np.asarray(column.map(bins), dtype=np.intp)


def _means(run: Indices, numbers: Floats, runs: int) -> Floats:
    """Mean of each run; of one without rows the mean over all."""
    counts = np.bincount(run, minlength=runs)
    overall = float(numbers.mean()) if numbers.size else 0.0
    return np.where(counts > 0, np.bincount(run, numbers, runs) / np.maximum(counts, 1), overall)


def _mean(numbers: Floats) -> float | None:
    return rounded(numbers.mean(keepdims=True))[0] if numbers.size else None
