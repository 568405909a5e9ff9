"""Every measure of performance that outcomes allow, each with its interval."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from contracts.baseline import Baseline
from contracts.outcomes import Outcomes, Residuals
from stream_app.performance.decided import Decided
from stream_app.performance.measured import Found
from stream_app.performance.probabilities import Groups, brier, calibration_error, equal_mass, groups, log_loss
from stream_app.performance.ranking import auc, average_precision
from stream_app.performance.residual import residual_measures
from stream_app.performance.scored import Scored, score_bins

Measures = dict[str, Found]
"""By name, in the order in which they are told."""


def measures(baseline: Baseline, outcomes: Outcomes | Residuals) -> Measures:
    """All that can be said: nothing without a row; auc and average_precision with rows of both truths; log_loss, brier
    and calibration_error where scores are probabilities; per class and cost where there are decisions; of a regression
    mae, rmse and bias. outcomes: over the baseline's bins.
    """
    found = residual_measures(outcomes) if isinstance(outcomes, Residuals) else _of_classifier(baseline, outcomes)
    return {each.name: each for each in found}


def _of_classifier(baseline: Baseline, outcomes: Outcomes) -> list[Found]:
    bins = score_bins(baseline)
    scored = Scored.of(bins, outcomes)
    found: list[Found] = []
    if scored.p and scored.n:
        found += [auc(scored), average_precision(scored)]
    if scored.rows and bins.means is not None:
        grouping = equal_mass(np.array(baseline.score.counts, dtype=np.float64))
        found += [
            log_loss(scored, bins.means),
            brier(scored, bins.means),
            calibration_error(scored, bins.means, grouping),
        ]
    if scored.rows and outcomes.decided is not None:
        found += Decided(scored.n, scored.p, outcomes.decided).found(baseline.costs)
    return found


def calibration_groups(baseline: Baseline, outcomes: Outcomes) -> Groups | None:
    """The groups that the calibration error is summed over; None where scores are no probabilities."""
    bins = score_bins(baseline)
    if bins.means is None:
        return None
    grouping = equal_mass(np.array(baseline.score.counts, dtype=np.float64))
    return groups(Scored.of(bins, outcomes), bins.means, grouping)


@lru_cache(maxsize=32)
def reference_measures(baseline: Baseline) -> Measures:
    """Of the baseline's own rows; empty where it does not know how its scores turned out. Remembered."""
    known = baseline.outcomes if baseline.residuals is None else baseline.residuals
    return {} if known is None else measures(baseline, known)
