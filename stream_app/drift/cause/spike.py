"""A share of the rows set to one value: a default fill, a stuck sensor."""

from __future__ import annotations

import math

import numpy as np

from contracts.histogram import Histogram
from stream_app.drift.cause.candidate import Candidate
from stream_app.drift.cause.likelihood import Likelihood
from stream_app.drift.cause.tables import Tables

_NOT_ONE_VALUE = 20.0
"""Against a spike whose bin holds all that is out of range and yet two different values."""
_WIDE = 6.0
"""Against a spike in a wide bin: a unit can explain it, too."""
_FEW = 3


def spikes(tables: Tables, likelihood: Likelihood, window: Histogram) -> list[Candidate]:
    """The likeliest spikes: in bin b a share h = (q_b - p_b) / (1 - p_b) of the rows, the others as before.

    gain = n (q_b ln(q_b / p_b) + (1 - q_b) ln((1 - q_b) / (1 - p_b))), the binomial deviance of the bin.
    """
    n = likelihood.n
    before, q = likelihood.before, likelihood.shares
    p, loud = likelihood.loud(before), likelihood.loud(q)
    rest = 1 - q
    with np.errstate(divide="ignore", invalid="ignore"):
        gains = np.where(q > 0, q * np.log(loud / p), 0.0) + np.where(rest > 0, rest * np.log(rest / (1 - p)), 0.0)
    gains = np.where((q > p) & (before < 1), likelihood.scale * n * gains, 0.0)
    found = []
    for b in np.argsort(-gains, kind="stable")[:_FEW].tolist():
        if gains[b] <= 0:
            continue
        value, exact = value_of(b, tables, window)
        penalty = math.log(n) + math.log(q.size) + _objection(b, tables, window)
        share = float((q[b] - before[b]) / (1 - before[b]))
        found.append(
            Candidate(kind="spike", gain=float(gains[b]), penalty=penalty, share=share, value=value, exact=exact)
        )
    return found


def value_of(b: int, tables: Tables, window: Histogram) -> tuple[float, bool]:
    """The value of a spike in bin b, and whether it is known exactly.

    Where nothing lies beyond the bin the window's extreme is in it: taken for the value. Else the middle of what the
    bin can hold.
    """
    bins, counts = tables.bins, window.counts
    edges = bins.edge_array
    if bins.atoms[b]:
        return float(edges[b - 1]), True
    if window.minimum is not None and window.minimum == window.maximum:
        return window.minimum, True
    if not tables.counts[b]:
        for extreme, beyond in ((window.maximum, counts[b + 1 :]), (window.minimum, counts[:b])):
            if extreme is not None and not beyond.any() and math.isfinite(extreme):
                return extreme, True
    low = edges[b - 1] if b > 0 else edges[0]
    high = edges[b] if b < edges.size else edges[-1]
    return float(low + (high - low) / 2), False


def _objection(b: int, tables: Tables, window: Histogram) -> float:
    """Against calling what a wide bin holds one value."""
    if tables.narrow[b]:
        return 0.0
    alone = not window.counts[:b].any() and not window.counts[b + 1 :].any()
    return _NOT_ONE_VALUE if alone and window.minimum != window.maximum else _WIDE
