"""What a reader of a report should know of how its verdicts were made: one sentence each, often none."""

from __future__ import annotations

from functools import lru_cache

from contracts.baseline import Baseline
from stream_app.drift.explain import MOST
from stream_app.drift.rule import DecisionRule

FEW_ROWS = 500
"""Rows of a reference that find a shift by half a standard deviation in 9 of 10 windows (docs/statistics.md)."""


def notes(baseline: Baseline, rule: DecisionRule, window_seconds: float, alarms: int) -> tuple[str, ...]:
    """window_seconds: length of the window that was compared. alarms: how many features alarm in it."""
    natural = _natural(baseline, window_seconds) if rule.natural else ""
    storm = f"{alarms} features alarm: causes and effects are of the strongest {MOST}" if alarms > MOST else ""
    said = (rule.known_false_alarms, few_rows(baseline.rows), natural, _effects(baseline), storm)
    return tuple(sentence for sentence in said if sentence)


def few_rows(rows: int) -> str:
    """What is to be said of a reference of so many rows: nothing, or that they are few."""
    if rows >= FEW_ROWS:
        return ""
    counted = "1 row" if rows == 1 else f"{rows} rows"
    return f"the baseline has {counted}: with fewer than {FEW_ROWS} a shift by half a sd is often missed"


def _natural(baseline: Baseline, window_seconds: float) -> str:
    natural = baseline.natural
    if natural is None:
        return "natural variation was not learnt: the baseline was made without --window"
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
