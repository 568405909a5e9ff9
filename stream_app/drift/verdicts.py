"""The verdicts on one panel: arrays over its features turned into one struct each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat

import numpy as np

from contracts.histogram import Histogram
from contracts.reports import FeatureVerdict, Finding, Null, Statistic
from stream_app.drift.decision import Decision, Measurement
from stream_app.drift.panel import PanelCounts
from stream_app.drift.prepared import PreparedPanel


def verdicts_of(
    panel: PreparedPanel,
    histograms: Sequence[Histogram],
    counts: PanelCounts,
    measurements: Sequence[Measurement],
    decisions: Sequence[Decision],
) -> list[FeatureVerdict]:
    """In the order of the panel. histograms: of all watched things; counts, measurements, decisions: of this panel."""
    p, effect = decisions[0].p, decisions[0].size
    significant, material = decisions[0].significant, decisions[0].material
    for decision in decisions[1:]:
        p = np.where(decision.alarm, np.minimum(p, decision.p), p)
        effect = np.where(decision.alarm, np.maximum(effect, decision.size), effect)
        significant, material = significant | decision.significant, material | decision.material
    strange, none = counts.strange.tolist(), [0] * len(panel.watched)
    outside, unseen = (strange, none) if panel.panel.kind == "numeric" else (none, strange)
    rows, missing = counts.rows.tolist(), counts.missing.tolist()
    p_values, effects = p.tolist(), effect.tolist()
    unusual, matters = significant.tolist(), material.tolist()
    statistics = list(zip(*map(_statistics, measurements), strict=True))
    findings = _findings(decisions, len(panel.watched))
    return [
        FeatureVerdict(
            feature=thing.name,
            kind=thing.kind,
            rows=rows[i],
            missing=missing[i],
            p_value=p_values[i],
            effect=effects[i],
            statistics=statistics[i],
            findings=findings[i],
            significant=unusual[i],
            material=matters[i],
            out_of_range=outside[i],
            unseen=unseen[i],
            minimum=histogram.minimum,
            maximum=histogram.maximum,
        )
        for i, (thing, histogram) in enumerate(zip(panel.watched, panel.own(histograms), strict=True))
    ]


def _statistics(measurement: Measurement) -> list[Statistic]:
    measured, size = measurement.measured, measurement.measured.value.size
    p: Iterable[float | None] = repeat(None, size) if measured.p is None else measured.p.tolist()
    if measured.reference is None and measurement.learnt is None:
        return list(map(Statistic, repeat(measurement.metric), measured.value.tolist(), p))
    reference: Iterable[float | None] = repeat(None) if measured.reference is None else measured.reference.tolist()
    learnt = [False] * size if measurement.learnt is None else measurement.learnt.tolist()
    nulls: list[Null] = [_NULLS[one] for one in learnt]
    return list(map(Statistic, repeat(measurement.metric), measured.value.tolist(), p, reference, nulls))


def _findings(decisions: Sequence[Decision], size: int) -> list[tuple[Finding, ...]]:
    found: list[tuple[Finding, ...]] = [()] * size
    for decision in decisions:
        for i in np.flatnonzero(decision.alarm).tolist():
            found[i] += (decision.finding,)
    return found


_NULLS: tuple[Null, Null] = ("sampling", "learnt")
