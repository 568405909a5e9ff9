"""Is the version good enough by itself: its quality on the test rows, its decisions, its probabilities, its folds."""

from __future__ import annotations

import numpy as np

from training.evaluation.measures import calibration_error
from training.gates.evidence import Evidence, Verdict, failed, passed, verdict
from training.gates.resampling import resampled
from training.gates.rules import Rules

_RESAMPLES, _SEED, _CONFIDENCE = 400, 0, 0.95


def minimum_quality(evidence: Evidence, rules: Rules) -> Verdict:
    """Even the lower end of the AUC's interval is above the minimum; average precision beats chance by the lift."""
    rule = rules.quality
    found = resampled(evidence.labels, [evidence.scores], _RESAMPLES, _SEED)
    auc = found.interval(0, 0, _CONFIDENCE)
    base = float(evidence.labels.mean())
    lift = float(found.values[0, 1]) / base
    wrong = []
    if auc.low < rule.auc:
        wrong.append(f"AUC {auc.value:.3f} may be as low as {auc.low:.3f}, the minimum is {rule.auc:g}")
    if lift < rule.lift:
        wrong.append(f"average precision is {lift:.2f} times the base rate of {base:.3f}, the minimum is {rule.lift:g}")
    return verdict(
        wrong,
        f"AUC {auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f}), average precision {lift:.1f} times the base rate",
        auc=auc.value,
        auc_low=auc.low,
        auc_high=auc.high,
        lift=lift,
    )


def precision_floor(evidence: Evidence, rules: Rules) -> Verdict:
    """Of the rows decided positively enough are positive."""
    decided = evidence.decisions
    if not decided.any():
        return failed(f"no test row reaches the threshold {evidence.evaluation.threshold:.4g}: nothing is ever decided")
    value, floor = float(evidence.labels[decided == 1].mean()), rules.precision.floor
    said = f"precision {value:.3f} at the threshold, the floor is {floor:g}"
    return passed(said, precision=value) if value >= floor else failed(said, precision=value)


def recall_floor(evidence: Evidence, rules: Rules) -> Verdict:
    """Of the positive rows enough are decided positively."""
    value, floor = float(evidence.decisions[evidence.labels == 1].mean()), rules.recall.floor
    said = f"recall {value:.3f} at the threshold, the floor is {floor:g}"
    return passed(said, recall=value) if value >= floor else failed(said, recall=value)


def balance(evidence: Evidence, rules: Rules) -> Verdict:
    """Neither sensitivity nor specificity is bought at the other's cost alone."""
    rule, decided = rules.balance, evidence.decisions
    sensitivity = float(decided[evidence.labels == 1].mean())
    specificity = float(1 - decided[evidence.labels == 0].mean())
    mean, weaker = (sensitivity + specificity) / 2, min(sensitivity, specificity)
    wrong = []
    if mean < rule.mean:
        wrong.append(f"their mean is {mean:.3f}, the minimum is {rule.mean:g}")
    if weaker < rule.weaker:
        wrong.append(f"the weaker one is below {rule.weaker:g}")
    said = f"sensitivity {sensitivity:.3f}, specificity {specificity:.3f}"
    return verdict(
        [f"{said}: {' and '.join(wrong)}"] if wrong else [], said, sensitivity=sensitivity, specificity=specificity
    )


def stability(evidence: Evidence, rules: Rules) -> Verdict:
    """The folds of the cross-validation agree."""
    rule = rules.stability
    aucs = np.array([fold["auc"] for fold in evidence.evaluation.folds if "auc" in fold])
    if aucs.size < rule.folds:
        return failed(
            f"{aucs.size} folds were evaluated, at least {rule.folds} are needed: train with cross-validation"
        )
    spread, below = float(aucs.std(ddof=1)), float(aucs.mean() - aucs.min())
    wrong = []
    if spread > rule.spread:
        wrong.append(f"the folds' AUC spreads by {spread:.3f}, at most {rule.spread:g} is allowed")
    if below > rule.below_mean:
        wrong.append(f"the worst fold is {below:.3f} below their mean, at most {rule.below_mean:g} is allowed")
    said = f"AUC {aucs.mean():.3f} over {aucs.size} folds, {aucs.min():.3f} to {aucs.max():.3f}"
    return verdict(wrong, said, spread=spread, below_mean=below, mean=float(aucs.mean()))


def calibration(evidence: Evidence, rules: Rules) -> Verdict:
    """A score of .3 means that 30 % are positive: expected calibration error, over groups of equally many rows."""
    error, most = calibration_error(evidence.labels, evidence.scores), rules.calibration.error
    said = f"expected calibration error {error:.4f}, at most {most:g} is allowed"
    return passed(said, error=error) if error <= most else failed(said, error=error)
