"""The rest: a reference without some of its rows, and those rows as the rest sees them."""

from __future__ import annotations

import msgspec
import numpy as np

from contracts.baseline import Reference
from contracts.binning import Bins, Counted, Levels
from contracts.histogram import Histogram


def rest_of(reference: Reference, part: Histogram) -> Reference:
    """The reference without `part`, which is some of its rows over the same bins. Its range ends with the bins that
    are still filled. A range is known by bins only here, so what is beyond it is rather too few rows than too many.
    """
    counts = np.array(reference.counts, dtype=np.int64) - part.counts
    bins = _narrowed(reference.bins, counts) if isinstance(reference.bins, Bins) else reference.bins
    missing = reference.missing - part.missing
    return Reference(
        bins,
        tuple(counts.tolist()),
        missing,
        bridge=reference.bridge,
        dependence=reference.dependence,
        singles=reference.singles,
    )


def seen_by(rest: Reference, window: Histogram) -> Histogram:
    """A window over the whole reference's bins with the levels that the rest never had in the bin of UNSEEN ones.

    >>> levels = Levels(("a", "b"))
    >>> window = Reference(levels, (10, 5, 0, 0)).histogram
    >>> rest = rest_of(Reference(levels, (90, 5, 0, 0)), window)
    >>> rest.counts, seen_by(rest, window).counts.tolist()
    ((80, 0, 0, 0), [10, 0, 0, 5])
    """
    seen = Histogram(rest.bins)
    seen.missing, seen.minimum, seen.maximum = window.missing, window.minimum, window.maximum
    seen.counts += window.counts
    if isinstance(rest.bins, Levels):
        named = slice(rest.bins.unseen)
        never = np.array(rest.counts[named]) == 0
        seen.counts[rest.bins.unseen] += seen.counts[named][never].sum()
        seen.counts[named][never] = 0
    return seen


def _narrowed(bins: Bins, counts: Counted) -> Bins:
    """The same bins with the range of those that are filled. Bin b begins at edges[b - 1], which it holds."""
    filled = np.flatnonzero(counts)
    if not filled.size:
        return bins
    first, last = (bins.edges[b - 1] if b else bins.lowest for b in (filled[0], filled[-1]))
    return msgspec.structs.replace(bins, lowest=first, highest=last)
