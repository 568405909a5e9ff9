"""What tests of drift statistics need: raw columns counted over the bins of a reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from contracts.baseline import Reference
from contracts.binning import Binning, Bins, Levels
from contracts.histogram import Histogram
from stream_app.drift.ks import fit_bridge
from stream_app.drift.metric import Measured, Metric
from stream_app.drift.panel import Panel, PanelCounts, PanelKind

Floats = npt.NDArray[np.float64]


def counted(bins: Binning, values: Any) -> Histogram:
    histogram = Histogram(bins)
    histogram.add(values)
    return histogram


def a_reference(values: Any, *, draws: int = 4_000) -> Reference:
    """Of numbers or of levels, whichever `values` holds; a bridge table of few draws where there are ties."""
    if isinstance(values, np.ndarray):
        histogram = counted(Bins.fit(values), values)
        return Reference.of(histogram, fit_bridge(histogram.counts, seed=0, draws=draws))
    return Reference.of(counted(Levels.fit(values), values))


def measure(metric: type[Metric], kind: PanelKind, references: Sequence[Reference], windows: Sequence[Any]) -> Measured:
    """What `metric` says of one window of raw values per reference."""
    panel = Panel(kind, references)
    histograms = [counted(reference.bins, window) for reference, window in zip(references, windows, strict=True)]
    return metric(panel).measure(PanelCounts(panel, histograms))


def size_under_the_null(
    metric: type[Metric], kind: PanelKind, reference: Any, windows: Sequence[Any], level: float
) -> float:
    """Share of windows without drift whose p is below `level`: one panel holds them all, so it is fast."""
    prepared = a_reference(reference, draws=20_000)
    p = measure(metric, kind, [prepared] * len(windows), windows).p
    assert p is not None
    return float((p < level).mean())
