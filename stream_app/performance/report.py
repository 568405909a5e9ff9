"""A window's outcomes against the baseline's, as a PerformanceReport. Pure: counts in, a report out.

The order of work: measure -> is there enough to compare -> compare -> say it in one sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from contracts.baseline import Baseline
from contracts.performance import PerformanceReport, performance_id
from contracts.times import moment
from stream_app.performance.comparison import TESTED, compared
from stream_app.performance.counting import OutcomeCounts
from stream_app.performance.measures import measures, reference_measures
from stream_app.performance.rule import EARLY, RULE, PerformanceRule
from stream_app.performance.summary import summary


def report(
    baseline: Baseline,
    counts: OutcomeCounts,
    *,
    window_start: int,
    window_end: int,
    revision: int,
    predictions: int | None,
    replaced: int = 0,
    final: bool = False,
    partitions: Mapping[int, int] | None = None,
    rule: PerformanceRule = RULE,
) -> PerformanceReport:
    """One revision of one window; times in milliseconds UTC.

    counts: the window's labels. predictions: how many the window has, None while nobody knows. replaced: labels that
    were given anew with another truth. partitions: source partition of `labels` -> last offset counted.
    """
    outcomes, labelled, start = counts.value(), counts.labelled, moment(window_start)
    found = measures(baseline, outcomes)
    complete = is_complete(labelled, predictions, final, rule)
    why_not = _why_not(baseline, counts, rule)
    tested = () if why_not else TESTED if complete else EARLY
    metrics = compared(baseline, found, outcomes, rule, tested)
    degraded = tuple(metric.name for metric in metrics if metric.degraded)
    status: Literal["well", "degraded", "insufficient"] = (
        "insufficient" if why_not else "degraded" if degraded else "well"
    )
    return PerformanceReport(
        id=performance_id(baseline.model, baseline.version, start, revision),
        model=baseline.model,
        version=baseline.version,
        baseline=baseline.digest,
        window_start=start,
        window_end=moment(window_end),
        revision=revision,
        labelled=labelled,
        predictions=predictions,
        positives=counts.positives,
        status=status,
        metrics=metrics,
        degraded=degraded,
        replaced=replaced,
        final=final,
        summary=summary(labelled, predictions, metrics, degraded, why_not),
        partitions=dict(partitions or {}),
        notes=(
            *_notes(labelled, predictions, complete, rule),
            *_natural_notes(baseline, (window_end - window_start) / 1000),
        ),
    )


def is_complete(labelled: int, predictions: int | None, final: bool, rule: PerformanceRule = RULE) -> bool:
    """Whether these labels are all that come, or nearly: then every measure is tested, and the window is judged."""
    return final or (predictions is not None and labelled >= rule.coverage * predictions > 0)


def _why_not(baseline: Baseline, counts: OutcomeCounts, rule: PerformanceRule) -> str | None:
    if not reference_measures(baseline):
        return "nothing to compare with: the baseline was fitted without labels (training baseline --label-column)"
    if counts.labelled < rule.labels:
        return f"too few labels to compare, at least {rule.labels} are needed"
    positives = counts.positives
    if positives is None:
        return None
    least = min(positives, counts.labelled - positives)
    if least == 0:
        return f"every truth is {0 if positives == 0 else 1}: both are needed to compare"
    if least < rule.truths:
        rarer = 1 if positives == least else 0
        return f"only {least} of truth {rarer}: at least {rule.truths} of each are needed to compare"
    return None


def _notes(labelled: int, predictions: int | None, complete: bool, rule: PerformanceRule) -> tuple[str, ...]:
    notes = []
    if not complete:
        notes.append(
            f"labels still come: until {100 * rule.coverage:.0f} % are there or the label delay is over only AUC is "
            "compared, for early labels may not be like the rest"
        )
    if predictions is not None and labelled > predictions:
        notes.append(f"{labelled - predictions} more labels than predictions that the drift reports counted")
    return tuple(notes)


def _natural_notes(baseline: Baseline, window_seconds: float) -> tuple[str, ...]:
    """Where natural variation was asked for and is not what this window is held against."""
    natural = baseline.natural
    if natural is None:
        return ()
    if natural.performance_why_not:
        return (f"natural variation of performance was not learnt: {natural.performance_why_not}",)
    if baseline.natural_performance and natural.window_seconds != window_seconds:
        return (
            f"natural variation was learnt from windows of {natural.window_seconds:g} s, this one has "
            f"{window_seconds:g} s: what varies from window to window may differ",
        )
    return ()
