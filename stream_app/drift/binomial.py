"""Exact binomial tails, straight from the incomplete beta function: many at once, without scipy.stats' overhead."""

from __future__ import annotations

import numpy as np
from scipy import special

from stream_app.drift.panel import Floats, Ints


def at_least(k: Ints, n: Ints, p: Floats) -> Floats:
    """P(X >= k) for X binomial(n, p) and 0 <= k <= n, by elements.

    Source: Abramowitz and Stegun 26.5.24, P(X >= k) = I_p(k, n - k + 1).

    >>> at_least(np.array([0, 1, 3]), np.array([3, 3, 3]), np.array([.5, .5, .5])).round(9).tolist()
    [1.0, 0.875, 0.125]
    """
    tail = np.ones(k.shape)
    some = k > 0
    if some.any():
        k, n = k[some], n[some]
        tail[some] = special.betainc(k, np.maximum(n - k + 1, 0), p[some])
    return tail


def two_sided(k: Ints, n: Ints, p: Floats) -> Floats:
    """Twice the smaller tail of k, at most 1.

    >>> two_sided(np.array([0, 2, 10]), np.array([10, 10, 10]), np.array([.2, .2, .2])).round(4).tolist()
    [0.2147, 1.0, 0.0]
    """
    at_most = at_least(n - k, n, 1 - p)
    both: Floats = np.minimum(1.0, 2 * np.minimum(at_least(k, n, p), at_most))
    return both
