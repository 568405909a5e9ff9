"""How far windows of the reference are from the rest of it, by every metric that is a test: what is learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from contracts.baseline import Reference
from contracts.histogram import Histogram
from stream_app.drift.bridge_moments import square_moments
from stream_app.drift.metric import Measured, Metric
from stream_app.drift.metrics import METRICS
from stream_app.drift.natural import LEARNABLE, sampling_variance
from stream_app.drift.panel import Floats, Ints, Panel, PanelCounts, PanelKind
from stream_app.drift.rates import Unseen


class Distances(NamedTuple):
    """How far one metric finds W windows from the rest of each; arrays of shape (W,).

    rows: those that the metric is about. variance, expected: v and e of learning.py.
    """

    metric: str
    measured: Measured
    rows: Ints
    variance: Floats
    expected: Floats

    @classmethod
    def joined(cls, parts: Sequence[Distances]) -> Distances:
        """Of some windows after the other."""
        columns = zip(*(part.measured for part in parts), strict=True)
        measured: list[Any] = [None if column[0] is None else np.concatenate(column) for column in columns]
        rows, variance, expected = (np.concatenate(column) for column in list(zip(*parts, strict=True))[2:])
        return cls(parts[0].metric, Measured(*measured), rows, variance, expected)


def distances_of(kind: PanelKind, pairs: Sequence[tuple[Reference, Histogram]]) -> list[Distances]:
    """By every metric of this kind that is a test. pairs: the rest and the window."""
    # One feature's windows make a panel, as many features' references do at a close: each metric sees all at once
    panel = Panel(kind, [rest for rest, _ in pairs])
    windows = PanelCounts(panel, [seen for _, seen in pairs])
    found = []
    for metric in [metric(panel) for metric in METRICS if kind in metric.kinds and metric.name in LEARNABLE]:
        measured = metric.measure(windows)
        if measured.p is not None:  # PSI of levels has too many sparse groups to be a test
            rows = windows.rows if metric.name == "missing" else windows.n
            variance = sampling_variance(metric.name, windows, panel.counted)
            found.append(Distances(metric.name, measured, rows, variance, _expected(metric, measured, panel)))
    del panel.counted  # it refers back to the panel: without this both would stay until cycles are looked for
    return found


def _expected(metric: Metric, measured: Measured, panel: Panel) -> Floats:
    """e of each window, shape (W,); of no use where the statistic is not quadratic."""
    if metric.name == "psi":
        assert measured.freedom is not None
        return measured.freedom.astype(np.float64)
    if metric.name in ("chi2", "peak"):
        return np.ones(measured.value.size)  # chi-square's statistic is in units of it
    if metric.name == "ks":
        return np.full(measured.value.size, square_moments(panel.references[0].bridge)[0])
    if isinstance(metric, Unseen):
        return metric.expected_rate
    if metric.name == "out_of_range":
        return 1 / (panel.counted.n + 1)
    assert measured.reference is not None
    return measured.reference * (1 - measured.reference)
