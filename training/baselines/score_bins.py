"""Bins of a score: those of a numeric feature, and finer ones where the highest scores are.

Precision at the top decides over average precision: where one row in fifty is positive, most positives are among the
highest two of a hundred rows, which equal-mass bins see as five bins.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from contracts.binning import Bins

_RATIO = 1.1
"""Each bin reaches down to a rank this much lower than the one above it: a bin's rows then lie within a tenth of their
rank, so precision at a row is known within about a twentieth."""
_BEYOND = 8
"""Bins above the highest score of the reference."""


def fit_score_bins(scores: npt.NDArray[np.float64]) -> Bins:
    """As Bins.fit, with edges at the scores of rank 1, 2, 3 ... 10, 11, 12.1 ... from the top, down to the median.

    Raises InvalidReference.
    """
    bins = Bins.fit(scores)
    rising = np.sort(scores)
    steps = int(np.log(max(rising.size / 2, 1)) / np.log(_RATIO)) + 1
    ranks = np.unique((_RATIO ** np.arange(steps)).astype(np.intp))
    more = [rising[rising.size - ranks]]
    if bins.lowest >= 0 and bins.highest < 1:
        more.append(bins.highest + (1 - bins.highest) * np.arange(1, _BEYOND) / _BEYOND)
    edges = np.unique(np.concatenate([bins.edge_array, *more])) + 0.0
    return Bins(tuple(edges.tolist()), bins.lowest, bins.highest)
