"""p-values of many tests corrected for their number. (scipy.stats has it too, and takes seconds to import.)"""

from __future__ import annotations

import numpy as np

from stream_app.drift.panel import Floats


def benjamini_hochberg(p: Floats) -> Floats:
    """Adjusted p-values, shape (tests,): those below q are a selection with an expected share of q false ones.

    With p sorted ascending, adjusted p_i = min over j >= i of min(1, p_j m / j), m the number of tests. Raises
    ValueError when a p is not from 0 to 1 (NaN is not).

    Source: Benjamini and Hochberg, J. R. Statist. Soc. B 57(1), 1995.

    >>> benjamini_hochberg(np.array([.01, .04, .03, .5])).round(4).tolist()  # .03 * 4/2 = .06 > .04 * 4/3 = .0533
    [0.04, 0.0533, 0.0533, 0.5]
    """
    if not np.all((p >= 0) & (p <= 1)):
        raise ValueError(f"p-values must lie from 0 to 1, got {p[~((p >= 0) & (p <= 1))].tolist()}")
    order = np.argsort(p)
    scaled = p[order] * (p.size / np.arange(1, p.size + 1))
    adjusted = np.empty_like(scaled)
    adjusted[order] = np.minimum.accumulate(scaled[::-1])[::-1]
    return np.minimum(adjusted, 1.0)
