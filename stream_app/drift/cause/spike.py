"""A share of the rows set to one value: a default fill, a stuck sensor.

"All rows are 70" has to be true. A histogram knows one value where a bin holds no other, or where the window's smallest
and largest value are the same; in a narrow bin of the reference it knows it nearly ("about"). What lies in a wide bin,
as those beyond the reference are, may be any number of values: there is no spike to be told of there.
"""

from __future__ import annotations

import math

import numpy as np

from contracts.histogram import Histogram
from stream_app.drift.cause.candidate import Candidate
from stream_app.drift.cause.likelihood import Likelihood
from stream_app.drift.cause.tables import Tables

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
        known = value_of(b, tables, window) if gains[b] > 0 else None
        if known is None:
            continue
        value, exact = known
        penalty = math.log(n) + math.log(q.size)
        share = float((q[b] - before[b]) / (1 - before[b]))
        found.append(
            Candidate(kind="spike", gain=float(gains[b]), penalty=penalty, share=share, value=value, exact=exact)
        )
    return found


def value_of(b: int, tables: Tables, window: Histogram) -> tuple[float, bool] | None:
    """The value of a spike in bin b, and whether it is known exactly; None where the bin can hold many values.

    Of a narrow bin of the reference it is the middle, which is not exact.
    """
    edges = tables.bins.edge_array
    if tables.bins.atoms[b]:
        return float(edges[b - 1]), True
    if window.minimum is not None and window.minimum == window.maximum:
        return window.minimum, True
    if not tables.narrow[b]:
        return None
    low = edges[b - 1] if b > 0 else edges[0]
    high = edges[b] if b < edges.size else edges[-1]
    return float(low + (high - low) / 2), False
