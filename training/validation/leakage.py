"""Leakage: a feature that alone ranks the labels almost without error was made from them, or after them.

AUC of one feature: numbers are ranked as they are, missing ones once below and once above all others; levels by the
share of positives that the *other half* of the rows has (a share from the same rows would make a leak of any column
with as many levels as rows).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from contracts.schema import FeatureSchema
from training.data.columns import Labels
from training.validation.finding import Finding

_UNSEEN_WEIGHT = 1.0
"""Rows of the mean share that each level starts with, so that a level of one row is no certainty."""


def leakage_findings(features: pd.DataFrame, schema: FeatureSchema, labels: Labels, limit: float) -> list[Finding]:
    """features: of rows that a model may see; labels: 0 or 1, of both."""
    found = []
    for feature in schema.features:
        auc = single_feature_auc(features[feature.name], labels, levels=feature.kind == "categorical")
        if auc > limit:
            found.append(
                Finding(
                    f"feature {feature.name!r} alone has an AUC of {auc:.4f} (checks.leakage_auc {limit:g}): it is "
                    "known only after the label, or made from it; remove it from the description",
                    fatal=True,
                )
            )
    return found


def single_feature_auc(column: pd.Series, labels: Labels, *, levels: bool) -> float:
    """In whichever direction it is larger, so at least about .5.

    >>> single_feature_auc(pd.Series([1.0, 2.0, None, 4.0]), np.array([1, 1, 0, 0]), levels=False)
    1.0
    """
    if levels:
        return _either_way(_shares(column, labels), labels)
    values = column.to_numpy(dtype=np.float64)
    missing = np.isnan(values)
    sides = (-np.inf, np.inf) if missing.any() else (0.0,)
    return max(_either_way(np.where(missing, side, values), labels) for side in sides)


def _shares(column: pd.Series, labels: Labels) -> npt.NDArray[np.float64]:
    codes = pd.factorize(column, use_na_sentinel=False)[0]
    size, half = int(codes.max()) + 1, np.arange(len(labels)) % 2
    shares = np.empty(len(labels))
    for this in (0, 1):
        other = half != this
        rows = np.bincount(codes[other], minlength=size)
        positives = np.bincount(codes[other], weights=labels[other], minlength=size)
        smooth = (positives + _UNSEEN_WEIGHT * labels.mean()) / (rows + _UNSEEN_WEIGHT)
        shares[half == this] = smooth[codes[half == this]]
    return shares


def _either_way(values: npt.NDArray[np.float64], labels: Labels) -> float:
    """AUC = (R - p (p + 1) / 2) / (p n), R the sum of the positives' ranks (Mann and Whitney)."""
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return 0.5
    ranks = rankdata(values)[labels == 1].sum()
    auc = float((ranks - positives * (positives + 1) / 2) / (positives * negatives))
    return max(auc, 1 - auc)
