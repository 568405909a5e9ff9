"""What a feature's drift does to the model's answers: the expected change of its mean score and of its positives.

Stated twice, because the histogram alone cannot tell which is true (p, q: shares of reference and window, b: a bin or
"missing"):

    the data broke    only this feature changed, by an error: the other features are as they were.
                      a share h of the rows was set to v (spike, missing, new level):  h (PD(v) - mu_S)
                      anything else:                                                   sum_b (q_b - p_b) PD_b
    the world moved   other features moved along, as they do in the reference:         sum_b (q_b - p_b) mu_b

mu_b: mean score of the reference's rows in b. PD: partial dependence, the mean score of a sample when every row of it
is given the same value; between the values that the model was asked at it is interpolated. mu_S: of that sample as it
is; the same sample, or its own noise would drown small effects.

Source: partial dependence is from J. H. Friedman, Greedy function approximation: a gradient boosting machine, Annals of
Statistics 29 (2001), section 8.2. That it ranks drifts by their effect is measured: docs/effect-on-the-model.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from contracts.baseline import Reference
from contracts.binning import Binning, Bins, Floats, Levels
from contracts.dependence import ScoreDependence
from contracts.findings import Cause, ModelEffect, ScoreChange
from contracts.histogram import Histogram

HARMLESS = 0.01
"""Changes of the mean score, and of the share of positives, below this are harmless."""


def model_effect(
    reference: Reference, window: Histogram, cause: Cause | None, *, of_score: bool = False
) -> ModelEffect | None:
    """The effect of the window's drift of one feature, or None where the reference knows no scores.

    of_score: the reference is of the score itself. Then it is the change of its own mean, known from its histogram, and
    that is the headline; there is no "if the data broke", as there is none for a model that could not be asked.
    cause: picks the headline, whether that is known or not, and says where a share of the rows was set to one value.
    A window without rows changes nothing.
    """
    known = reference.dependence
    if known is None:
        return None
    before, after = _shares(reference.histogram), _shares(window)
    if not (before.any() and after.any()):
        after = before
    world = ScoreChange(
        _if_world_moved(before, after, known.bin_starts, known.bin_scores, known.missing_score),
        None
        if known.bin_positives is None
        else _if_world_moved(before, after, known.bin_starts, known.bin_positives, known.missing_positives),
    )
    broke = _if_data_broke(reference.bins, known, before, after, cause)
    of_data = cause is not None and cause.of_data and not of_score
    return ModelEffect(if_world_moved=world, if_data_broke=broke, headline="data" if of_data else "world")


def is_harmless(effect: ModelEffect | None) -> bool:
    """Whether the drift hardly moves the model's answers: every number that may be the true one is below HARMLESS.

    Where the cause is broken data that is "if the data broke"; else both, for nobody knows which. Where the model could
    not be asked nobody knows what an error does, and nothing is harmless.
    """
    if effect is None or effect.if_data_broke is None:
        return False
    changes = [effect.if_data_broke] if effect.headline == "data" else [effect.if_data_broke, effect.if_world_moved]
    return all(abs(number) < HARMLESS for change in changes for number in (change.score, change.positives or 0.0))


def _shares(histogram: Histogram) -> Floats:
    """Share of the rows in each bin and, last, without a value; shape (bins + 1,)."""
    counts = np.append(histogram.counts, histogram.missing).astype(np.float64)
    return np.asarray(counts / max(1.0, counts.sum()))


def _if_world_moved(
    before: Floats, after: Floats, starts: Sequence[int], means: Sequence[float], missing: float | None
) -> float:
    """sum_b (q_b - p_b) mu_b, mu given for runs of bins. Without a mean of rows that lack the value: that of all."""
    mean = np.repeat(np.array(means), np.diff([*starts, before.size - 1]))
    known = float(before[:-1].sum())
    everywhere = float(before[:-1] @ mean) / known if known else 0.0
    return _rounded(float((after - before) @ np.append(mean, everywhere if missing is None else missing)))


def _rounded(change: float) -> float:
    """To 4 significant digits: a report is read by people, and the estimate is no better."""
    return float(f"{change:.4g}")


def _if_data_broke(
    bins: Binning, known: ScoreDependence, before: Floats, after: Floats, cause: Cause | None
) -> ScoreChange | None:
    if known.partial is None or known.sample_score is None:
        return None
    score = _Partial(bins, known.at, known.partial, known.partial_missing, known.sample_score)
    change = score.change(before, after, cause)
    if change is None or known.partial_positives is None or known.sample_positives is None:
        return None if change is None else ScoreChange(change)
    positives = _Partial(
        bins, known.at, known.partial_positives, known.partial_missing_positives, known.sample_positives
    )
    return ScoreChange(change, positives.change(before, after, cause))


class _Partial:
    """Partial dependence of one quantity. NaN where the model gave no answer."""

    def __init__(
        self,
        bins: Binning,
        at: Sequence[float],
        means: Sequence[float | None],
        missing: float | None,
        sample: float,
    ) -> None:
        self._bins, self._at, self._sample = bins, np.array(at), sample
        self._means = np.array(means, dtype=np.float64)
        self._missing = np.nan if missing is None else missing

    def change(self, before: Floats, after: Floats, cause: Cause | None) -> float | None:
        """Expected change of the mean. None where rows came or went that the model gives no answer for: a few of them
        are taken to score like all."""
        spot = self._spot(cause)
        if spot is not None:
            bin_, mean = spot
            share = (after[bin_] - before[bin_]) / max(1e-12, 1 - before[bin_])
            if share > 0:
                return None if np.isnan(mean) else _rounded(share * (mean - self._sample))
        everywhere, moved = np.append(self._of_bins(), self._missing), after - before
        refused = np.isnan(everywhere)
        if np.abs(moved[refused]).sum() >= HARMLESS:  # each of these rows may change the score by as much as 1
            return None
        return _rounded(float(moved @ np.where(refused, self._sample, everywhere)))

    def _of_bins(self) -> Floats:
        """At each bin's middle; the outer two at their only edge. Shape (bins,)."""
        if isinstance(self._bins, Levels):
            return self._means
        edges = self._bins.edge_array
        middles = np.concatenate([edges[:1], (edges[:-1] + edges[1:]) / 2, edges[-1:]])
        return np.asarray(np.interp(middles, self._at, self._means), dtype=np.float64)

    def _spot(self, cause: Cause | None) -> tuple[int, float] | None:
        """Where a share of the rows was set to one value: its bin (-1: missing), and the mean there."""
        kind = None if cause is None else cause.kind
        if kind == "missing":
            return -1, self._missing
        if kind == "new_level" and isinstance(self._bins, Levels):
            return self._bins.unseen, float(self._means[self._bins.unseen])
        value = None if cause is None else cause.value
        if kind == "spike" and isinstance(self._bins, Bins) and isinstance(value, float):
            bin_ = int(self._bins.edge_array.searchsorted(value, side="right"))
            return bin_, float(np.interp(value, self._at, self._means))
        return None
