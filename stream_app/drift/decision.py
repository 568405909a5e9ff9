"""From measurements to alarms: weighted p-values, two families of tests, and a floor below which change is no matter.

    p(feature) = min(1, min over its value metrics of p_metric / weight)      a weighted Bonferroni of its own tests
    significant: adjusted p < q in its family: values, or rates (Benjamini-Hochberg 1995 over all features at once)
    material: any value metric's size > its floor; for a rate: its own size > its floor
    alarm: significant and material

Two families, because the many rates that never move would cost the values their power. The floors keep a huge window
from making everything significant. Weights: Genovese, Roeder and Wasserman, Biometrika 93(3), 2006.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from contracts.reports import Finding
from stream_app.drift.metric import Measured
from stream_app.drift.panel import Flags, Floats
from stream_app.drift.rule import DecisionRule
from stream_app.false_discovery import discoveries


class Measurement(NamedTuple):
    """What one metric measured on the F features of a panel.

    learnt: which features' p is held against the reference's own windows, shape (F,); None where none is.
    """

    metric: str
    finding: Finding
    measured: Measured
    learnt: Flags | None = None


class Question(NamedTuple):
    """One question about each of F features, and what speaks for a finding; arrays of shape (F,).

    tested: whether the rule uses any p here. p: before the correction for many tests. size: of the first metric
    asked. exceeded: a value beyond the one that alarms whatever p is.
    """

    finding: Finding
    tested: bool
    p: Floats
    size: Floats
    material: Flags
    exceeded: Flags

    @property
    def family(self) -> str:
        """The tests it is corrected with: all value tests, or all rate tests."""
        return "values" if self.finding == "values" else "rates"


class Decision(NamedTuple):
    """The answer to a question; arrays of shape (F,)."""

    finding: Finding
    p: Floats
    size: Floats
    significant: Flags
    material: Flags
    alarm: Flags


def questions(measurements: Sequence[Measurement], rule: DecisionRule) -> list[Question]:
    """What is asked of one panel: about the values all metrics together, about each rate by itself."""
    values = [measurement for measurement in measurements if measurement.finding == "values"]
    rates = [[measurement] for measurement in measurements if measurement.finding != "values"]
    return [_question(asked, rule) for asked in ([values, *rates] if values else rates)]


def decide(panels: Sequence[Sequence[Question]], rule: DecisionRule) -> list[list[Decision]]:
    """Answer the questions of every panel at once: a family of tests spans them all."""
    tested = [question for panel in panels for question in panel if question.tested]
    passed = {
        family: iter(_passed([question.p for question in tested if question.family == family], q, rule))
        for family, q in (("values", rule.values_q), ("rates", rule.rates_q))
    }
    return [[_decision(q, next(passed[q.family]) if q.tested else q.p < 0) for q in panel] for panel in panels]


def _question(measurements: Sequence[Measurement], rule: DecisionRule) -> Question:
    size = measurements[0].measured.size
    tested = False
    p, exceeded = np.ones(size.shape), np.zeros(size.shape, dtype=np.bool_)
    material: Flags | None = None
    for metric, _, measured, _ in measurements:
        part = rule.part(metric)
        if part.weight > 0 and measured.p is not None:
            tested, p = True, np.minimum(p, measured.p / part.weight)
        if part.floor is not None:
            above = measured.size > part.floor
            material = above if material is None else material | above
        if part.alarm_above is not None:
            exceeded |= measured.value > part.alarm_above
    if material is None:  # a rule without a floor holds every change for material
        material = np.ones(size.shape, dtype=np.bool_)
    return Question(measurements[0].finding, tested, p, size, material, exceeded)


def _passed(family: Sequence[Floats], q: float, rule: DecisionRule) -> list[Flags]:
    """Which p-values of one family pass, in the shapes given."""
    if not family:
        return []
    flat = np.concatenate(family)
    passed = flat < q if rule.correction == "none" else discoveries(flat, q)
    return np.split(passed, np.cumsum([p.size for p in family])[:-1])


def _decision(question: Question, passed: Flags) -> Decision:
    significant, material = passed | question.exceeded, question.material | question.exceeded
    return Decision(question.finding, question.p, question.size, significant, material, significant & material)
