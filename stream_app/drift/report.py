"""A closed window against its baseline: measure, decide, and put the verdicts into a DriftReport.

The order of work: count by panels -> measure every metric -> [learnt null: natural variation corrects the p-values
here] -> decide -> verdicts -> cause and effect on the model, for the features that alarm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import repeat

import numpy as np

from contracts.baseline import DECISION, Baseline
from contracts.histogram import Histogram
from contracts.reports import DriftReport, FeatureVerdict, Finding, Null, Statistic, Status, report_id
from contracts.times import moment
from contracts.window import WindowCounts
from stream_app.drift.decision import Decision, Measurement, decide, questions
from stream_app.drift.explain import explained, ranked
from stream_app.drift.notes import notes
from stream_app.drift.panel import PanelCounts
from stream_app.drift.prepared import Watched, prepared
from stream_app.drift.rule import CALIBRATED, DecisionRule


def compare(baseline: Baseline, window: WindowCounts, rule: DecisionRule = CALIBRATED) -> tuple[FeatureVerdict, ...]:
    """A verdict on every monitored feature in schema order, on the score and, where both sides have any, on decisions.

    Without values in the window or the reference the value metrics have size 0 and p 1; the rates still speak. The
    number of rows is not looked at: `report` does.
    """
    ready = prepared(baseline)
    histograms = ready.histograms(window)
    counts = [panel.count(histograms) for panel in ready.panels]
    measurements = [panel.measure(counted) for panel, counted in zip(ready.panels, counts, strict=True)]
    decisions = decide([questions(measured, rule) for measured in measurements], rule)
    verdicts: list[FeatureVerdict] = []
    for panel, counted, measured, decided in zip(ready.panels, counts, measurements, decisions, strict=True):
        watched = [ready.watched[i] for i in panel.positions]
        own = [histograms[i] for i in panel.positions]
        verdicts += _verdicts(watched, own, counted, measured, decided)
    order = [i for panel in ready.panels for i in panel.positions]
    ordered = [verdict for _, verdict in sorted(zip(order, verdicts, strict=True), key=lambda pair: pair[0])]
    return explained([v for v in ordered if v.feature != DECISION or window.decided], ready, histograms)


def report(
    baseline: Baseline,
    window: WindowCounts,
    *,
    window_start: int,
    window_end: int,
    rows: int,
    merged_windows: int,
    partitions: Mapping[int, int],
    rule: DecisionRule = CALIBRATED,
) -> DriftReport:
    """The report of one closed window; times in milliseconds UTC.

    window: what is compared, earlier thin windows merged in. rows: events of this window alone. merged_windows: how
    many were merged in. partitions: source partition -> last offset counted. With fewer than `rule.n_min` rows
    nothing is compared and the status is `insufficient`.
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
        compared_rows=window.rows if enough else 0,
        merged_windows=merged_windows,
        status=status,
        preset=rule.name,
        alarms=tuple(verdict.feature for verdict in alarming),
        features=verdicts,
        partitions=dict(partitions),
        notes=notes(baseline, rule, (window_end - window_start) / 1000),
    )


def _verdicts(
    watched: Sequence[Watched],
    histograms: Sequence[Histogram],
    counts: PanelCounts,
    measurements: Sequence[Measurement],
    decisions: Sequence[Decision],
) -> list[FeatureVerdict]:
    """The verdicts on one panel: arrays over its features turned into one struct each."""
    p, effect = decisions[0].p, decisions[0].size
    for decision in decisions[1:]:
        p = np.where(decision.alarm, np.minimum(p, decision.p), p)
        effect = np.where(decision.alarm, np.maximum(effect, decision.size), effect)
    columns = zip(
        watched,
        histograms,
        counts.rows.tolist(),
        counts.missing.tolist(),
        counts.strange.tolist(),
        p.tolist(),
        effect.tolist(),
        zip(*map(_statistics, measurements), strict=True),
        _findings(decisions, len(watched)),
        np.any([decision.significant for decision in decisions], axis=0).tolist(),
        np.any([decision.material for decision in decisions], axis=0).tolist(),
        strict=True,
    )
    numeric = counts.panel.kind == "numeric"
    return [
        FeatureVerdict(
            feature=thing.name,
            kind=thing.kind,
            rows=rows,
            missing=missing,
            p_value=p_value,
            effect=size,
            statistics=statistics,
            findings=findings,
            significant=significant,
            material=material,
            out_of_range=strange if numeric else 0,
            unseen=0 if numeric else strange,
            minimum=histogram.minimum,
            maximum=histogram.maximum,
        )
        for (
            thing,
            histogram,
            rows,
            missing,
            strange,
            p_value,
            size,
            statistics,
            findings,
            significant,
            material,
        ) in columns
    ]


def _statistics(measurement: Measurement) -> list[Statistic]:
    value, _, p, reference, _ = measurement.measured
    none = [None] * value.size
    p_values = none if p is None else p.tolist()
    references = none if reference is None else reference.tolist()
    learnt = [False] * value.size if measurement.learnt is None else measurement.learnt.tolist()
    nulls: list[Null] = [_NULLS[one] for one in learnt]
    return list(map(Statistic, repeat(measurement.metric), value.tolist(), p_values, references, nulls))


def _findings(decisions: Sequence[Decision], size: int) -> list[tuple[Finding, ...]]:
    found: list[tuple[Finding, ...]] = [()] * size
    for decision in decisions:
        for i in np.flatnonzero(decision.alarm).tolist():
            found[i] += (decision.finding,)
    return found


_NULLS: tuple[Null, Null] = ("sampling", "learnt")
