"""p-values of many tests corrected for their number. (scipy.stats has it too, and takes seconds to import.)"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def discoveries(p: Floats, q: float) -> Flags:
    """Which of m tests are found at a false discovery rate of q <= 1: the expected share of false ones among them.

    With p sorted ascending: those with an adjusted p_i = min over j >= i of p_j m / j below q. Only p below q are
    sorted: the others cannot lower an adjusted one below q, p_j m / j >= p_j >= q. Raises ValueError when a p is not
    from 0 to 1 (NaN is not).

    Source: Benjamini and Hochberg, J. R. Statist. Soc. B 57(1), 1995.

    >>> discoveries(np.array([.01, .04, .03, .5]), .05).tolist()  # adjusted .04, .04 * 4/3 = .0533 twice, .5
    [True, False, False, False]
    """
    fits = (p >= 0) & (p <= 1)
    if not fits.all():
        raise ValueError(f"p-values must lie from 0 to 1, got {p[~fits].tolist()}")
    found = np.zeros(p.shape, dtype=np.bool_)
    small = np.flatnonzero(p < q)
    if small.size:
        rising = small[np.argsort(p[small])]
        passing = np.flatnonzero(p[rising] * (p.size / np.arange(1, rising.size + 1)) < q)
        found[rising[: passing[-1] + 1 if passing.size else 0]] = True
    return found
