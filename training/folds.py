"""Folds: how the metrics of one set of parameters vary over a stratified cross-validation of the training rows."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold
from sklearn.utils.parallel import Parallel, delayed

from contracts.outcomes import Costs
from training.columns import Labels
from training.config import Threshold
from training.evaluate import Scores, measure
from training.pipeline import scores_of
from training.search import one_thread_each
from training.thresholds import choose_threshold


def cross_validated(
    pipeline: Any,
    features: pd.DataFrame,
    labels: Labels,
    *,
    folds: int,
    seed: int,
    jobs: int,
    rule: Threshold,
    costs: Costs,
) -> tuple[dict[str, float], ...]:
    """Metrics of each fold, by a clone of the unfitted pipeline that has not seen its rows. Each fold decides at a
    threshold of its own, chosen by `rule`.
    """
    parts = list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(np.zeros(len(labels)), labels))
    with one_thread_each(jobs), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the fit to all rows will say it once
        scored = Parallel(n_jobs=jobs)(
            delayed(_fold)(clone(pipeline), features.iloc[fit], labels[fit], features.iloc[check])
            for fit, check in parts
        )
    found = []
    for (_, check), scores in zip(parts, scored, strict=True):
        threshold = choose_threshold(rule, labels[check], scores, costs)
        found.append({**measure(labels[check], scores, threshold, costs), "threshold": threshold})
    return tuple(found)


def _fold(pipeline: Any, features: pd.DataFrame, labels: Labels, check: pd.DataFrame) -> Scores:
    return scores_of(pipeline.fit(features, labels), check)
