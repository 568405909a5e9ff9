"""Exact tests of a rate in two samples, both with their own noise: straight from the incomplete beta function.

A reference of 500 rows knows a rate of 1 % as 5 +- 2 rows. Holding a window against "1 %" as if that were certain
alarms on every large window; the share of *all* such rows that fell into the window does not.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from stream_app.drift.panel import Floats, Ints


def at_least(k: Ints, n: Ints, k_reference: Ints, m: Ints) -> Floats:
    """p that a window's rate is not higher, by elements: k of n now, k_reference of m before, all >= 0, n + m > 0.

    P(X >= k), X binomial(k + k_reference, n / (n + m)): given how many there are in all, with one rate each falls into
    the window with the share of the rows that the window has. Exact for rates near 0, cautious for higher ones.

    Source: Przyborowski and Wilenski, Biometrika 31(3/4), 1940; Abramowitz and Stegun 26.5.24, P(X >= k) =
    I_p(k, N - k + 1).

    >>> from scipy.stats import binom
    >>> at_least(*(np.array([x]) for x in (3, 100, 1, 300))).round(6).tolist(), binom.sf(2, 4, .25).round(6)
    ([0.050781], np.float64(0.050781))
    """
    p = np.ones(k.shape)
    some = k > 0
    if some.any():
        k, n = k[some], n[some]
        p[some] = special.betainc(k, k_reference[some] + 1, n / (n + m[some]))
    return p


def two_sided(k: Ints, n: Ints, k_reference: Ints, m: Ints) -> Floats:
    """p that both rates are the same: twice the smaller tail, at most 1.

    >>> two_sided(*(np.array(x) for x in ((3, 0), (100, 100), (1, 5), (300, 300)))).round(6).tolist()
    [0.101562, 0.474609]
    """
    both: Floats = np.minimum(at_least(k, n, k_reference, m), at_least(k_reference, m, k, n))
    return np.minimum(1.0, 2 * both)
