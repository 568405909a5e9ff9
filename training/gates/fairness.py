"""Fairness: is the version as good in every segment of the rows as in all of them, and does it treat it about alike?

A segment is one value of a column, or one of a few ranges of a column of numbers. Columns that the version's training
config names are asked for its AUC. Columns that the rules name are also asked for rates of decisions: where the truth
differs between segments an honest model's rates do too, and that they shall not is for a person to say.

A segment fails where a rate is further from that of all rows than the limit, and than chance explains (standard errors
of proportions); or where even the upper end of its AUC's interval (Hanley and McNeil, Radiology 143, 1982) is lower by
more than the limit. The limit also stands for what any segment lacks: to be ranked against the others. Too small a
segment is not judged, and that is said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import roc_auc_score

from stream_app.performance.intervals import Z
from training.evaluation.measures import Labels, Scores
from training.gates.evidence import Evidence, Verdict, failed, passed, verdict
from training.gates.rules import Fairness, Rules


@dataclass(frozen=True, eq=False)
class _Rows:
    labels: Labels
    scores: Scores
    decided: Labels

    def take(self, inside: npt.NDArray[np.bool_]) -> _Rows:
        return _Rows(self.labels[inside], self.scores[inside], self.decided[inside])


def fairness(evidence: Evidence, rules: Rules) -> Verdict:
    """AUC of every segment, and of those that the rules name rates of decisions, recall and false positives, against
    those of all rows.
    """
    rule = rules.fairness
    columns = tuple(dict.fromkeys((*rule.segments, *evidence.evaluation.segments)))
    if not columns:
        return passed("no segments are named: segments in the training config, or fairness.segments in gates.yaml")
    every = _Rows(evidence.labels, evidence.scores, evidence.decisions)
    wrong, judged, small = [], 0, 0
    for column in columns:
        values = _column(evidence, column)
        if values is None:
            return failed(
                f"no column {column!r} among the test rows: name a feature, or a segment of the training config"
            )
        for segment, inside in _segments(values, rule.groups):
            if int(inside.sum()) < rule.rows:
                small += 1
                continue
            judged += 1
            wrong += [
                f"{column} {segment}: {said}"
                for said in _apart(every.take(inside), every, rule, rates=column in rule.segments)
            ]
    left = f"; {small} of fewer than {rule.rows} rows were not judged" if small else ""
    return verdict(
        wrong,
        f"{judged} segments of {', '.join(columns)} are within the limits{left}",
        judged=judged,
        small=small,
    )


def _column(evidence: Evidence, name: str) -> pd.Series | None:
    for table in (evidence.segments, evidence.features):
        if name in table.columns:
            return table[name]
    return None


def _segments(values: pd.Series, groups: int) -> list[tuple[str, npt.NDArray[np.bool_]]]:
    """Name and rows of each, shape (rows,). Rows without a value are a segment too."""
    missing = values.isna().to_numpy()
    named = [("(missing)", missing)] if missing.any() else []
    if pd.api.types.is_numeric_dtype(values) and values.nunique() > groups:
        edges = np.unique(np.quantile(values[~missing], np.linspace(0, 1, groups + 1)[1:-1]))
        at = np.searchsorted(edges, values.to_numpy(dtype=np.float64), side="right")
        ends = ["-inf", *(f"{edge:.4g}" for edge in edges), "inf"]
        return named + [(f"{ends[i]} to {ends[i + 1]}", (at == i) & ~missing) for i in range(len(edges) + 1)]
    text = values.astype("str").to_numpy()
    return named + [(str(level), (text == level) & ~missing) for level in np.unique(text[~missing])]


def _apart(segment: _Rows, every: _Rows, rule: Fairness, *, rates: bool) -> list[str]:
    """What of a segment is too far from all rows."""
    said = _rates_apart(segment, every, rule) if rates else []
    positives = int(segment.labels.sum())
    if min(positives, segment.labels.size - positives) >= rule.rows_per_class:
        own = float(roc_auc_score(segment.labels, segment.scores))
        whole = float(roc_auc_score(every.labels, every.scores))
        high = own + Z * _auc_error(own, positives, segment.labels.size - positives)
        if whole - high > rule.auc_gap:
            said.append(f"AUC {own:.3f}, {high:.3f} at best, of all rows {whole:.3f} (at most {rule.auc_gap:g} lower)")
    return said


def _rates_apart(segment: _Rows, every: _Rows, rule: Fairness) -> list[str]:
    said = []
    parts = (
        ("rate of positive decisions", rule.positive_gap, np.ones_like(segment.labels), np.ones_like(every.labels)),
        ("recall", rule.recall_gap, segment.labels, every.labels),
        ("false positive rate", rule.false_positive_gap, 1 - segment.labels, 1 - every.labels),
    )
    for name, most, mine, all_ in parts:
        counted = int(mine.sum())
        if counted < rule.rows_per_class:
            continue
        own, whole = float(segment.decided[mine == 1].mean()), float(every.decided[all_ == 1].mean())
        error = Z * float(np.sqrt(own * (1 - own) / counted + whole * (1 - whole) / int(all_.sum())))
        if abs(own - whole) > max(most, error):
            said.append(f"{name} {own:.3f}, of all rows {whole:.3f} (at most {most:g} apart)")
    return said


def _auc_error(auc: float, positives: int, negatives: int) -> float:
    """Standard error of an AUC, equation 1 of Hanley and McNeil."""
    one, two = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (one - auc**2) + (negatives - 1) * (two - auc**2)
    return float(np.sqrt(max(variance, 0.0) / (positives * negatives)))
