"""Estimated performance: what the scores of a window let expect before a single label has come.

Each score bin has a share of truth 1 in the baseline's outcomes. As long as that share stays what it was, a window with
other scores is expected to have w_b pi_b rows of truth 1 in bin b, and w_b (1 - pi_b) of truth 0; every measure follows
from these counts as from real ones. (Confidence-based performance estimation, as NannyML's documentation describes it
under CBPE: there scores are calibrated first; here pi_b is the calibration.)

What it cannot see is a change of pi itself: concept drift. Then the estimate stays where it was while the truth falls;
docs/performance.md has a run of that. It is right about inputs that moved to where the model is known to be worse.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from contracts.baseline import Baseline
from contracts.binning import Bins
from contracts.histogram import Histogram
from contracts.performance import Estimated
from stream_app.performance.bins import Floats
from stream_app.performance.probabilities import brier, log_loss
from stream_app.performance.ranking import auc_of, average_precision_of
from stream_app.performance.scored import ScoreBins, Scored, score_bins


def estimated(baseline: Baseline, score: Histogram) -> Estimated | None:
    """auc, average_precision, log_loss, brier, precision_1, recall_1 and f1_1, as far as they are defined. score: the
    window's. None where the baseline does not know how its scores turned out, or the window has no score.
    """
    known = _known(baseline)
    if known is None or not score.known:
        return None
    return Estimated(values=known.measures(score.counts.astype(np.float64)), reference=known.reference)


class _Known:
    """chances: of truth 1 in each bin. decided: share of each bin at or above the threshold, None without one."""

    def __init__(self, bins: ScoreBins, chances: Floats, decided: Floats | None, reference: Floats) -> None:
        self._bins, self._chances, self._decided = bins, chances, decided
        self.reference = self.measures(reference)

    def measures(self, counts: Floats) -> dict[str, float]:
        """counts: rows in each bin, at least one."""
        scored = Scored(self._bins, counts * (1 - self._chances), counts * self._chances)
        values: dict[str, float] = {}
        if scored.p and scored.n:
            values |= {"auc": auc_of(scored), "average_precision": average_precision_of(scored)}
        if self._bins.means is not None:
            losses = (log_loss(scored, self._bins.means), brier(scored, self._bins.means))
            values |= {each.name: each.value for each in losses}
        if self._decided is not None:
            hit, decided = float(scored.positives @ self._decided), float(counts @ self._decided)
            if decided:
                values["precision_1"] = hit / decided
            if scored.p:
                values |= {"recall_1": hit / scored.p, "f1_1": 2 * hit / (decided + scored.p)}
        return values


@lru_cache(maxsize=32)
def _known(baseline: Baseline) -> _Known | None:
    outcomes, bins = baseline.outcomes, baseline.score.bins
    if outcomes is None or not isinstance(bins, Bins) or not sum(outcomes.positives) or not sum(outcomes.negatives):
        return None
    negatives, positives = (np.array(counts, dtype=np.float64) for counts in (outcomes.negatives, outcomes.positives))
    decided = None
    if baseline.threshold is not None:
        low, high = bins.edge_array[:-1], bins.edge_array[1:]
        inner = np.clip((high - baseline.threshold) / np.maximum(high - low, 1e-300), 0.0, 1.0)
        ends = (float(bins.edge_array[0] > baseline.threshold), float(bins.edge_array[-1] >= baseline.threshold))
        decided = np.concatenate([ends[:1], inner, ends[1:]])
    counts = np.array(baseline.score.counts, dtype=np.float64)
    own = score_bins(baseline)
    return _Known(own, rising_chances(negatives, positives, own.means), decided, counts)


def rising_chances(negatives: Floats, positives: Floats, scores: Floats | None = None) -> Floats:
    """Chance of truth 1 in each bin, shape (bins,): rising with the score, from counts that may be thin.

    Each bin is given one row more, which has truth 1 with the chance that its score says: it counts where the reference
    has none or a few, and nowhere else. scores: of each bin, None where they are no probabilities; then the share of
    all rows. Bins are then merged with their lower neighbours until shares rise (pool adjacent violators: Ayer et al.,
    Ann. Math. Statist. 26(4), 1955).

    >>> rising_chances(np.array([8.0, 9.0, 0.0, 2.0]), np.array([2.0, 1.0, 0.0, 8.0]), np.full(4, 0.5)).tolist()
    [0.18181818181818182, 0.18181818181818182, 0.5, 0.7727272727272727]
    """
    overall = float(positives.sum() / (positives.sum() + negatives.sum()))
    more = np.full(positives.size, overall) if scores is None else scores
    blocks: list[tuple[float, float, int]] = []  # rows, rows of truth 1, bins
    for rows, ones in zip((negatives + positives + 1).tolist(), (positives + more).tolist(), strict=True):
        blocks.append((rows, ones, 1))
        while len(blocks) > 1 and blocks[-2][1] * blocks[-1][0] >= blocks[-1][1] * blocks[-2][0]:
            last, before = blocks.pop(), blocks.pop()
            blocks.append((before[0] + last[0], before[1] + last[1], before[2] + last[2]))
    return np.repeat([ones / rows for rows, ones, _ in blocks], [size for _, _, size in blocks])
