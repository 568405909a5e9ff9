"""Leak: does a feature know the answer? A model that was given the label in disguise wins every other comparison.

Each feature is asked alone (training.evaluation.alone).
"""

from __future__ import annotations

from sklearn.metrics import roc_auc_score

from training.evaluation.alone import alone_auc
from training.evaluation.measures import Labels
from training.gates.evidence import Champion, Evidence, Verdict, verdict
from training.gates.rules import Rules

_CHANCE = 0.01
"""A champion that goes by one feature alone is not beaten by it."""


def leak(evidence: Evidence, rules: Rules) -> Verdict:
    """No feature alone tells nearly everything, beats the whole champion, or tells far more than any did for it; and
    the version is not too good. Of a first version less is allowed: nobody knows yet what an honest feature tells.
    """
    rule, champion = rules.leak, evidence.champion
    alone = {str(name): alone_auc(evidence.features[name], evidence.labels) for name in evidence.features.columns}
    first = max(alone, key=lambda name: alone[name])
    auc = float(roc_auc_score(evidence.labels, evidence.scores))
    beside = None if champion is None else _best(champion, evidence.labels)
    known = None if champion is None else champion.strongest
    most = min(rule.alone, rule.first) if champion is None else rule.alone
    wrong = []
    for name, value in sorted(alone.items(), key=lambda item: -item[1]):
        if value > most:
            wrong.append(f"feature {name!r} alone has AUC {value:.3f} (more than {most:g}): does it know the label?")
        elif beside is not None and champion is not None and value > max(beside + _CHANCE, rule.beside_champion):
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
