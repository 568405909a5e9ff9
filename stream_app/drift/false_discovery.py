"""p-values of many tests corrected for their number. (scipy.stats has it too, and takes seconds to import.)"""

from __future__ import annotations

import numpy as np

from stream_app.drift.panel import Flags, Floats


def benjamini_hochberg(p: Floats) -> Floats:
    """Adjusted p-values, shape (tests,): those below q are a selection with an expected share of q false ones.

    With p sorted ascending, adjusted p_i = min over j >= i of min(1, p_j m / j), m the number of tests. Raises
    ValueError when a p is not from 0 to 1 (NaN is not).

    Source: Benjamini and Hochberg, J. R. Statist. Soc. B 57(1), 1995.

    >>> benjamini_hochberg(np.array([.01, .04, .03, .5])).round(4).tolist()  # .03 * 4/2 = .06 > .04 * 4/3 = .0533
    [0.04, 0.0533, 0.0533, 0.5]
    """
    _check(p)
    order = np.argsort(p)
    scaled = p[order] * (p.size / np.arange(1, p.size + 1))
    adjusted = np.empty_like(scaled)
    adjusted[order] = np.minimum.accumulate(scaled[::-1])[::-1]
    return np.minimum(adjusted, 1.0)


def discoveries(p: Floats, q: float) -> Flags:
    """Which of the tests have an adjusted p-value below q <= 1: `benjamini_hochberg(p) < q`, sorting only p below q.

    (The others cannot lower an adjusted p below q: p_j m / j >= p_j >= q.) Raises ValueError as it does.

    >>> discoveries(np.array([.01, .04, .03, .5]), .05).tolist()
    [True, False, False, False]
    """
    _check(p)
    found = np.zeros(p.shape, dtype=np.bool_)
    small = np.flatnonzero(p < q)
    if small.size:
        rising = small[np.argsort(p[small])]
        passing = np.flatnonzero(p[rising] * (p.size / np.arange(1, rising.size + 1)) < q)
        found[rising[: passing[-1] + 1 if passing.size else 0]] = True
    return found


def _check(p: Floats) -> None:
    fits = (p >= 0) & (p <= 1)
    if not fits.all():
        raise ValueError(f"p-values must lie from 0 to 1, got {p[~fits].tolist()}")
