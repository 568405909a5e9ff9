"""A closed window against its baseline: measure, decide, and put the verdicts into a DriftReport.

The order of work: count by panels -> measure every metric -> where windows vary by nature, hold p-values against that
-> decide -> verdicts -> cause and effect on the model, for the features that alarm.
"""

from __future__ import annotations

from collections.abc import Mapping

from contracts.baseline import DECISION, Baseline
from contracts.reports import DriftReport, FeatureVerdict, Status, report_id
from contracts.times import moment
from contracts.window import WindowCounts
from stream_app.drift.decision import decide, questions
from stream_app.drift.explain import explained, ranked
from stream_app.drift.notes import notes
from stream_app.drift.prepared import prepared
from stream_app.drift.rule import CALIBRATED, DecisionRule
from stream_app.drift.verdicts import verdicts_of
from stream_app.performance.estimate import estimated


def compare(baseline: Baseline, window: WindowCounts, rule: DecisionRule = CALIBRATED) -> tuple[FeatureVerdict, ...]:
    """A verdict on every monitored feature in schema order, on the score and, where both sides have any, on decisions.

    Without values in the window or the reference the value metrics have size 0 and p 1; the rates still speak. The
    number of rows is not looked at: `report` does.
    """
    ready = prepared(baseline)
    histograms = ready.histograms(window)
    counts = [panel.count(histograms) for panel in ready.panels]
    measured = [
        panel.measure(counted, natural=rule.natural) for panel, counted in zip(ready.panels, counts, strict=True)
    ]
    decided = decide([questions(measurements, rule) for measurements in measured], rule)
    made: list[FeatureVerdict] = []
    for panel, counted, measurements, decisions in zip(ready.panels, counts, measured, decided, strict=True):
        made += verdicts_of(panel, histograms, counted, measurements, decisions)
    ordered = [made[i] for i in ready.order]
    if ordered[-1].feature == DECISION and not window.decided:
        del ordered[-1]
    return explained(ordered, ready, histograms)


def report(
    baseline: Baseline,
    window: WindowCounts,
    *,
    window_start: int,
    window_end: int,
    rows: int,
    merged_windows: int,
    partitions: Mapping[int, int],
    shadow_rows: int = 0,
    rule: DecisionRule = CALIBRATED,
) -> DriftReport:
    """The report of one closed window; times in milliseconds UTC.

    window: what is compared, earlier thin windows merged in. rows: events of this window alone, shadow_rows of them a
    shadow's. merged_windows: how many were merged in. partitions: source partition -> last offset counted. With fewer
    than `rule.n_min` rows nothing is compared and the status is `insufficient`.
    """
    start, end = moment(window_start), moment(window_end)
    enough = window.rows >= rule.n_min
    verdicts = compare(baseline, window, rule) if enough else ()
    alarming = ranked(verdicts)
    status: Status = "insufficient" if not enough else "alarm" if alarming else "quiet"
    return DriftReport(
        id=report_id(baseline.model, baseline.version, start),
        model=baseline.model,
        version=baseline.version,
        baseline=baseline.digest,
        window_start=start,
        window_end=end,
        rows=rows,
        shadow_rows=shadow_rows,
        compared_rows=window.rows if enough else 0,
        merged_windows=merged_windows,
        status=status,
        preset=rule.name,
        alarms=tuple(verdict.feature for verdict in alarming),
        features=verdicts,
        partitions=dict(partitions),
        notes=notes(baseline, rule, (window_end - window_start) / 1000, len(alarming)),
        estimated=estimated(baseline, window.score) if enough else None,
    )
