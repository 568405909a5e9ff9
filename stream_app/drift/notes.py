"""What a reader of a report should know of how its verdicts were made: one sentence each, often none."""

from __future__ import annotations

from functools import lru_cache

from contracts.baseline import Baseline
from contracts.binning import EQUAL_MASS_BINS
from stream_app.drift.rule import DecisionRule

FEW_ROWS = 2 * EQUAL_MASS_BINS
"""Rows of a reference below which a bin holds less than two."""


def notes(baseline: Baseline, rule: DecisionRule, window_seconds: float) -> tuple[str, ...]:
    """window_seconds: length of the windows that are compared."""
    natural = _natural(baseline, window_seconds) if rule.natural else ""
    said = (rule.known_false_alarms, _few_rows(baseline), natural, _effects(baseline))
    return tuple(sentence for sentence in said if sentence)


def _few_rows(baseline: Baseline) -> str:
    if baseline.rows >= FEW_ROWS:
        return ""
    return f"the baseline has {baseline.rows} rows: below {FEW_ROWS} only large changes can be told from chance"


def _natural(baseline: Baseline, window_seconds: float) -> str:
    natural = baseline.natural
    if natural is None:
        return "natural variation was not learnt: the baseline was fitted without a time column"
    if not natural.learnt:
        return f"natural variation was not learnt: {natural.why_not}"
    if natural.window_seconds != window_seconds:
        return (
            f"natural variation was learnt from windows of {natural.window_seconds:g} s, this one has "
            f"{window_seconds:g} s: what varies from window to window may differ"
        )
    return ""


@lru_cache(maxsize=32)
def _effects(baseline: Baseline) -> str:
    known = [reference.dependence for reference in baseline.features.values() if reference.dependence is not None]
    if not known:
        return "no model effects: the baseline was fitted without scores"
    if all(dependence.partial is None for dependence in known):
        return "no effect of broken data on the model: the baseline was fitted without a model to ask"
    return ""
