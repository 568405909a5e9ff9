"""PreparedBaseline: what the statistics need of a baseline, computed once and used at every close."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from contracts.baseline import DECISION, SCORE, Baseline, Reference
from contracts.binning import Levels
from contracts.histogram import Histogram
from contracts.reports import VerdictKind
from contracts.window import WindowCounts
from stream_app.drift.decision import Measurement
from stream_app.drift.metric import Metric
from stream_app.drift.metrics import METRICS
from stream_app.drift.panel import Panel, PanelCounts, PanelKind

_DECISIONS = Levels(("false", "true"))


class Watched(NamedTuple):
    """One thing that is compared: a feature, the score or the decision."""

    name: str
    kind: VerdictKind


class PreparedPanel:
    """The watched things of one kind with their metrics. positions: of each in `PreparedBaseline.watched`."""

    def __init__(self, kind: PanelKind, positions: Sequence[int], references: Sequence[Reference]) -> None:
        self.positions = tuple(positions)
        self.panel = Panel(kind, references)
        self.metrics: tuple[Metric, ...] = tuple(metric(self.panel) for metric in METRICS if kind in metric.kinds)

    def count(self, histograms: Sequence[Histogram]) -> PanelCounts:
        """A window's counts. histograms: of all watched things."""
        return PanelCounts(self.panel, [histograms[i] for i in self.positions])

    def measure(self, counts: PanelCounts) -> list[Measurement]:
        """Every metric of this panel."""
        return [Measurement(metric.name, metric.finding, metric.measure(counts)) for metric in self.metrics]


class PreparedBaseline:
    """A baseline as panels. watched: the monitored features in schema order, then the score, then, where the baseline
    knows the share of positives, the decision. references: of each of them."""

    def __init__(self, baseline: Baseline) -> None:
        features = baseline.schema.monitored
        watched = [Watched(feature.name, feature.kind) for feature in features]
        references = [baseline.features[feature.name] for feature in features]
        watched.append(Watched(SCORE, "score"))
        references.append(baseline.score)
        self.decides = baseline.positives is not None
        if baseline.positives is not None:
            watched.append(Watched(DECISION, "decision"))
            decisions = _decisions(baseline.positives.rows, baseline.positives.count)
            references.append(msgspec.structs.replace(decisions, natural=baseline.natural_positives))
        self.watched = tuple(watched)
        self.references = tuple(references)
        members: dict[PanelKind, list[int]] = {"numeric": [], "categorical": [], "decision": []}
        for i, (_, kind) in enumerate(watched):
            members[_PANEL_OF[kind]].append(i)
        self.panels = tuple(PreparedPanel(kind, at, [references[i] for i in at]) for kind, at in members.items() if at)

    def histograms(self, window: WindowCounts) -> list[Histogram]:
        """A window's histograms in the order of `watched`."""
        own = [*window.features, window.score]
        return [*own, _decisions(window.decided, window.positives).histogram] if self.decides else own


@lru_cache(maxsize=32)
def prepared(baseline: Baseline) -> PreparedBaseline:
    """The prepared form of a baseline; the last few are remembered (by digest: it costs some milliseconds to make)."""
    return PreparedBaseline(baseline)


_PANEL_OF: dict[VerdictKind, PanelKind] = {
    "numeric": "numeric",
    "score": "numeric",
    "categorical": "categorical",
    "boolean": "categorical",
    "decision": "decision",
}


def _decisions(rows: int, positives: int) -> Reference:
    """Decisions as a histogram over two levels; OTHER and UNSEEN stay empty."""
    return Reference(_DECISIONS, (rows - positives, positives, 0, 0))
