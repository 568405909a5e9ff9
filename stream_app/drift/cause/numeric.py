"""The cause of a numeric feature's drift, from its values: the likeliest explanation as a Cause."""

from __future__ import annotations

import math

import numpy as np

from contracts.baseline import SCORE, Reference
from contracts.binning import Bins
from contracts.findings import Cause
from contracts.histogram import Histogram
from contracts.reports import Finding
from stream_app.drift.cause import sentences
from stream_app.drift.cause.candidate import Candidate
from stream_app.drift.cause.points import Floats
from stream_app.drift.cause.tables import tables_of
from stream_app.drift.cause.values import explain

_OUT_OF_RANGE = 0.02


def numeric_cause(
    reference: Reference, bins: Bins, window: Histogram, findings: tuple[Finding, ...], name: str
) -> Cause | None:
    """reference, window: over `bins`, with at least one value each. None where their values do not differ."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # infinite and huge values move out of all bins
        return _numeric_cause(reference, bins, window, findings, name)


def _numeric_cause(
    reference: Reference, bins: Bins, window: Histogram, findings: tuple[Finding, ...], name: str
) -> Cause | None:
    found = explain(reference, bins, window, computed=name == SCORE)
    if found.best is not None:
        return _cause(found.best, found.explained, reference, bins, window, name)
    strange = window.out_of_range / window.known
    if strange > _OUT_OF_RANGE and window.minimum is not None and window.maximum is not None:
        range_now = (window.minimum, window.maximum)
        return Cause(
            kind="out_of_range",
            sentence=sentences.out_of_range(name, strange, bins.lowest, bins.highest, range_now),
            share=strange * window.known / window.rows,
            value=window.maximum if window.maximum > bins.highest else window.minimum,
            explained=found.explained,
        )
    if "values" not in findings and not found.changed:
        return None
    before, now = reference.histogram.counts / reference.histogram.known, window.counts / window.known
    elsewhere = 0.5 * float(np.abs(now - before).sum())
    medians = median_of(before, bins, bins.lowest, bins.highest), median_of(now, bins, window.minimum, window.maximum)
    return Cause(
        kind="reshaped",
        sentence=sentences.reshaped(name, medians[0], medians[1], elsewhere),
        share=elsewhere * window.known / window.rows,
        explained=found.explained,
    )


def _cause(best: Candidate, explained: float, reference: Reference, bins: Bins, window: Histogram, name: str) -> Cause:
    before = 0.0
    if best.kind == "spike" and best.value is not None:
        at = int(bins.edge_array.searchsorted(best.value, side="right"))
        before = float(tables_of(reference, bins).before[at])
    return Cause(
        kind=best.kind,
        sentence=sentences.of(name, best, before) + _reach(best, bins, window),
        share=best.share * window.known / window.rows,
        value=best.value,
        factor=best.factor,
        unit=best.unit,
        explained=explained,
    )


def _reach(best: Candidate, bins: Bins, window: Histogram) -> str:
    """From where to where the values lie now: what is known of a shift that took many beyond the reference."""
    outside = window.out_of_range > _OUT_OF_RANGE * window.known
    if best.kind != "shift" or best.in_part or not outside or window.minimum is None or window.maximum is None:
        return ""
    return sentences.reach((window.minimum, window.maximum), bins.lowest, bins.highest)


def median_of(shares: Floats, bins: Bins, low: float | None, high: float | None) -> float:
    """The value that half of the mass lies below, from a histogram; low, high: of the values."""
    below = np.cumsum(shares)
    at = int(np.searchsorted(below, 0.5 * below[-1]))
    edges = np.concatenate(([-np.inf], bins.edge_array, [np.inf]))
    start = max(edges[at], -np.inf if low is None else low)
    stop = min(np.nextafter(edges[at + 1], -np.inf), np.inf if high is None else high)
    if not math.isfinite(stop - start):
        return float(start if math.isfinite(start) else stop)
    return float(start + (stop - start) * (0.5 * below[-1] - (below[at] - shares[at])) / shares[at])
