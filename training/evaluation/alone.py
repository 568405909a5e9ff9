"""Alone: how much of the label one feature tells by itself. What knows nearly all was made from the label, or after it.

Asked in two ways, of which the larger answer counts. In order: numbers are ranked as they are, in whichever direction,
missing ones once below and once above all others. In groups, for what tells from both sides, by being missing, or by a
level: values are cut into groups (a missing one is a group), and the share of positives of each group on one half of
the rows ranks the other half, and the other way round. So a group of one row tells nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from training.evaluation.measures import Labels

_GROUPS, _SEED = 50, 0


def strongest(features: pd.DataFrame, labels: Labels) -> float:
    """The largest AUC that one of the features reaches by itself."""
    return max(alone_auc(features[name], labels) for name in features.columns)


def alone_auc(column: pd.Series, labels: Labels) -> float:
    """AUC that a feature of a feature frame reaches by itself; about .5 for one that tells nothing.

    >>> alone_auc(pd.Series([1.0, 2.0, None, 4.0]), np.array([1, 1, 0, 0]))
    1.0
    """
    told = _in_groups(column, labels)
    return max(told, _in_order(column, labels)) if pd.api.types.is_numeric_dtype(column) else told


def _in_order(column: pd.Series, labels: Labels) -> float:
    values = column.to_numpy(dtype=np.float64)
    missing = np.isnan(values)
    aucs = [_auc(np.where(missing, side, values), labels) for side in (-np.inf, np.inf)]
    return max(max(auc, 1 - auc) for auc in aucs)


def _in_groups(column: pd.Series, labels: Labels) -> float:
    group = _grouped(column)
    half = np.random.default_rng(_SEED).random(labels.size) < 0.5
    told = np.empty(labels.size)
    for fit, ask in ((half, ~half), (~half, half)):
        rows = np.bincount(group[fit], minlength=group.max() + 1)
        positives = np.bincount(group[fit], weights=labels[fit], minlength=group.max() + 1)
        base = float(labels[fit].mean()) if fit.any() else 0.0
        told[ask] = (positives[group[ask]] + base) / (rows[group[ask]] + 1)  # an unknown group: the base rate
    both = [part for part in (half, ~half) if 0 < labels[part].sum() < part.sum()]
    return sum(_auc(told[part], labels[part]) for part in both) / len(both) if both else 0.5


def _grouped(column: pd.Series) -> npt.NDArray[np.int64]:
    """A group's number for each row, shape (rows,); 0: missing."""
    if not pd.api.types.is_numeric_dtype(column):
        return (pd.factorize(column)[0] + 1).astype(np.int64)
    values = column.to_numpy(dtype=np.float64)
    missing = np.isnan(values)
    known = values[~missing]
    if known.size == 0:
        return np.zeros(values.size, dtype=np.int64)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _GROUPS + 1)[1:-1], method="nearest"))
    at = np.searchsorted(edges, values, side="right") + 1
    return np.where(missing, 0, at).astype(np.int64)


def _auc(values: npt.NDArray[np.float64], labels: Labels) -> float:
    """AUC = (R - p (p + 1) / 2) / (p n), R the sum of the positives' ranks (Mann and Whitney); .5 without a class."""
    positives = int(labels.sum())
    negatives = labels.size - positives
    if not positives or not negatives:
        return 0.5
    ranks = rankdata(values)[labels == 1].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))
