"""PreparedBaseline: what the statistics need of a baseline, computed once and used at every close."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec
import numpy as np

from contracts.baseline import DECISION, SCORE, Baseline, Reference
from contracts.binning import Levels
from contracts.histogram import Histogram
from contracts.reports import VerdictKind
from contracts.window import WindowCounts
from stream_app.drift.decision import Measurement
from stream_app.drift.metric import Metric
from stream_app.drift.metrics import METRICS
from stream_app.drift.natural import NaturalNulls
from stream_app.drift.panel import Panel, PanelCounts, PanelKind

_DECISIONS = Levels(("false", "true"))


def decisions(rows: int, positives: int) -> Reference:
    """Decisions as a histogram over two levels; OTHER and UNSEEN stay empty."""
    return Reference(_DECISIONS, (rows - positives, positives, 0, 0))


class Watched(NamedTuple):
    """One thing that is compared: a feature, the score or the decision."""

    name: str
    kind: VerdictKind
    reference: Reference


class PreparedPanel:
    """The watched things of one kind with their metrics. positions: of each in `PreparedBaseline.watched`."""

    def __init__(self, kind: PanelKind, positions: Sequence[int], every: Sequence[Watched]) -> None:
        self.positions = tuple(positions)
        self.watched = tuple(every[i] for i in positions)
        self.panel = Panel(kind, [watched.reference for watched in self.watched])
        self.metrics: tuple[Metric, ...] = tuple(metric(self.panel) for metric in METRICS if kind in metric.kinds)
        self._natural = NaturalNulls(self.panel)

    def own(self, histograms: Sequence[Histogram]) -> list[Histogram]:
        """Of the histograms of all watched things those of this panel."""
        return [histograms[i] for i in self.positions]

    def count(self, histograms: Sequence[Histogram]) -> PanelCounts:
        """A window's counts. histograms: of all watched things."""
        return PanelCounts(self.panel, self.own(histograms))

    def measure(self, counts: PanelCounts, *, natural: bool) -> list[Measurement]:
        """Every metric of this panel. natural: whether p-values are held against the natural variation, where known."""
        measurements = [Measurement(metric.name, metric.finding, metric.measure(counts)) for metric in self.metrics]
        return self._natural.apply(measurements, counts) if natural else measurements


class PreparedBaseline:
    """A baseline as panels. watched: the monitored features in schema order, then the score, then, where the baseline
    knows the share of positives, the decision. order: where in the panels, end to end, each of these is."""

    def __init__(self, baseline: Baseline) -> None:
        features = baseline.schema.monitored
        watched = [Watched(feature.name, feature.kind, baseline.features[feature.name]) for feature in features]
        watched.append(Watched(SCORE, "score", baseline.score))
        self.decides = baseline.positives is not None
        if baseline.positives is not None:
            counted = decisions(baseline.positives.rows, baseline.positives.count)
            natural = msgspec.structs.replace(counted, natural=baseline.natural_positives)
            watched.append(Watched(DECISION, "decision", natural))
        self.watched = tuple(watched)
        members: dict[PanelKind, list[int]] = {"numeric": [], "categorical": [], "decision": []}
        for i, thing in enumerate(watched):
            members[_PANEL_OF[thing.kind]].append(i)
        self.panels = tuple(PreparedPanel(kind, at, watched) for kind, at in members.items() if at)
        self.order = tuple(np.argsort([i for panel in self.panels for i in panel.positions]).tolist())

    def histograms(self, window: WindowCounts) -> list[Histogram]:
        """A window's histograms in the order of `watched`."""
        own = [*window.features, window.score]
        return [*own, decisions(window.decided, window.positives).histogram] if self.decides else own


@lru_cache(maxsize=32)
def prepared(baseline: Baseline) -> PreparedBaseline:
    """The prepared form of a baseline; the last few are remembered (it costs some milliseconds to make)."""
    return PreparedBaseline(baseline)


_PANEL_OF: dict[VerdictKind, PanelKind] = {
    "numeric": "numeric",
    "score": "numeric",
    "categorical": "categorical",
    "boolean": "categorical",
    "decision": "decision",
}
