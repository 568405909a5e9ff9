"""Leak: does a feature know the answer? A model that was given the label in disguise wins every other comparison.

Each feature is asked alone: its values are cut into groups (a missing one is a group), the share of positives of each
group on one half of the rows ranks the other half, and the other way round. So it is found whichever way the feature
tells, also by being missing, and a group of one row tells nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import roc_auc_score

from training.evaluation.measures import Labels
from training.gates.evidence import Champion, Evidence, Verdict, verdict
from training.gates.rules import Rules

_GROUPS, _SEED = 50, 0


def leak(evidence: Evidence, rules: Rules) -> Verdict:
    """No feature alone tells nearly everything, beats the whole champion, or tells far more than any did for it; and
    the version is not too good.
    """
    rule, champion = rules.leak, evidence.champion
    alone = {str(name): alone_auc(evidence.features[name], evidence.labels) for name in evidence.features.columns}
    first = max(alone, key=lambda name: alone[name])
    auc = float(roc_auc_score(evidence.labels, evidence.scores))
    beside = None if champion is None else _best(champion, evidence.labels)
    known = None if champion is None else champion.strongest
    wrong = []
    for name, value in sorted(alone.items(), key=lambda item: -item[1]):
        if value > rule.alone:
            wrong.append(
                f"feature {name!r} alone has AUC {value:.3f} (more than {rule.alone:g}): does it know the label?"
            )
        elif beside is not None and champion is not None and value > max(beside, rule.beside_champion):
            wrong.append(
                f"feature {name!r} alone has AUC {value:.3f}, more than the {beside:.3f} of the whole champion "
                f"{champion.version}: does it know the label?"
            )
        elif known is not None and value > known + rule.stronger:
            wrong.append(
                f"feature {name!r} alone has AUC {value:.3f}, the strongest one that the champion had {known:.3f}: "
                "does it know the label?"
            )
    if auc > rule.auc:
        wrong.append(f"AUC {auc:.4f} (more than {rule.auc:g}) is too good to be true: look for what knows the label")
    return verdict(
        wrong,
        f"the strongest feature alone, {first!r}, has AUC {alone[first]:.3f}",
        alone=alone[first],
        auc=auc,
    )


def _best(champion: Champion, labels: Labels) -> float:
    """The champion's AUC when it was young or on these rows, whichever is better: on rows from a changed world one
    honest feature may well beat it.
    """
    now = [] if champion.scores is None else [float(roc_auc_score(labels, champion.scores))]
    return max([champion.baseline.performance.get("auc", 0.5), *now])


def strongest(features: pd.DataFrame, labels: Labels) -> float:
    """The largest AUC that one of the features reaches by itself."""
    return max(alone_auc(features[name], labels) for name in features.columns)


def alone_auc(column: pd.Series, labels: Labels) -> float:
    """AUC that a feature reaches by itself; about .5 for one that tells nothing."""
    group = _grouped(column)
    half = np.random.default_rng(_SEED).random(labels.size) < 0.5
    told = np.empty(labels.size)
    for fit, ask in ((half, ~half), (~half, half)):
        rows = np.bincount(group[fit], minlength=group.max() + 1)
        positives = np.bincount(group[fit], weights=labels[fit], minlength=group.max() + 1)
        base = float(labels[fit].mean()) if fit.any() else 0.0
        told[ask] = (positives[group[ask]] + base) / (rows[group[ask]] + 1)  # an unknown group: the base rate
    aucs = [
        float(roc_auc_score(labels[part], told[part])) for part in (half, ~half) if 0 < labels[part].sum() < part.sum()
    ]
    return sum(aucs) / len(aucs) if aucs else 0.5


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
