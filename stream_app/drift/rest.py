"""The rest: a reference without one of its windows, and that window as the rest sees it."""

from __future__ import annotations

import msgspec
import numpy as np

from contracts.baseline import Reference
from contracts.binning import Bins, Counted
from contracts.histogram import Histogram


def without(reference: Reference, window: Histogram) -> tuple[Reference, Histogram]:
    """reference: all rows; window: some of them, over the same bins. Its counts are taken away, and what only it had
    is strange to the rest: the range ends with the bins that the rest has filled, and a level that the rest never had
    counts as UNSEEN. A range is known by bins only here, so the rows beyond it are rather too few than too many.

    >>> from contracts.binning import Levels
    >>> levels = Levels(("a", "b"))
    >>> rest, seen = without(Reference(levels, (90, 5, 0, 0)), Reference(levels, (10, 5, 0, 0)).histogram)
    >>> rest.counts, seen.counts.tolist()
    ((80, 0, 0, 0), [10, 0, 0, 5])
    """
    counts = np.array(reference.counts, dtype=np.int64) - window.counts
    seen = Histogram(window.bins)
    seen.missing, seen.minimum, seen.maximum = window.missing, window.minimum, window.maximum
    seen.counts += window.counts
    bins = reference.bins
    if isinstance(bins, Bins):
        bins = _narrowed(bins, counts)
    else:
        gone = counts[: bins.unseen] == 0
        seen.counts[bins.unseen] += seen.counts[: bins.unseen][gone].sum()
        seen.counts[: bins.unseen][gone] = 0
    missing = reference.missing - window.missing
    return Reference(bins, tuple(counts.tolist()), missing, bridge=reference.bridge), seen


def _narrowed(bins: Bins, counts: Counted) -> Bins:
    """The same bins with the range of those that are filled. Bin b begins at edges[b - 1], which it holds."""
    filled = np.flatnonzero(counts)
    if not filled.size:
        return bins
    first, last = (bins.edges[b - 1] if b else bins.lowest for b in (filled[0], filled[-1]))
    return msgspec.structs.replace(bins, lowest=first, highest=last)
