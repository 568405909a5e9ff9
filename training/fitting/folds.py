"""Folds: how the metrics of one set of parameters vary over a stratified cross-validation of the training rows."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.utils.parallel import Parallel, delayed

from contracts.outcomes import Costs
from training.configuration.config import Threshold
from training.data.columns import Labels
from training.data.splits import Rows
from training.evaluation.measures import Scores, measure
from training.fitting.pipeline import scores_of
from training.fitting.search import one_thread_each
from training.fitting.thresholds import choose_threshold

TRAINING_AUC = "training_auc"
"""AUC of the rows that a fold was fitted to, or of _ASKED of them: how far it is above `auc` was learnt by heart."""
_ASKED = 5_000


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
            delayed(_fold)(clone(pipeline), features, labels, fit, check) for fit, check in parts
        )
    found = []
    for (_, check), (known, scores) in zip(parts, scored, strict=True):
        threshold = choose_threshold(rule, labels[check], scores, costs)
        measured = measure(labels[check], scores, threshold, costs)
        found.append({**measured, "threshold": threshold, TRAINING_AUC: known})
    return tuple(found)


def fold_aucs(pipeline: Any, features: pd.DataFrame, labels: Labels, fit: Rows, check: Rows) -> tuple[float, float]:
    """AUC of the rows that the pipeline is now fitted to, and of those that it has not seen."""
    known, scores = _fold(pipeline, features, labels, fit, check)
    return known, float(roc_auc_score(labels[check], scores))


def _fold(pipeline: Any, features: pd.DataFrame, labels: Labels, fit: Rows, check: Rows) -> tuple[float, Scores]:
    pipeline.fit(features.iloc[fit], labels[fit])
    # of each class as many: AUC does not mind, and a rare one is not lost
    asked = np.concatenate([fit[labels[fit] == value][: _ASKED // 2] for value in (0, 1)])
    known = float(roc_auc_score(labels[asked], scores_of(pipeline, features.iloc[asked])))
    return known, scores_of(pipeline, features.iloc[check])
