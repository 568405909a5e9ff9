"""Tables: what the search for a cause needs of one reference, made once: the image of every unit, the distribution."""

from __future__ import annotations

from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from contracts.baseline import Reference
from contracts.binning import Bins
from stream_app.drift.cause.images import images_of
from stream_app.drift.cause.points import Floats, Ints, extent
from stream_app.drift.cause.units import UNITS

_KEPT = 256
"""Tables of so many references are remembered, 0.2 MB each: more features seldom alarm at once."""
_WIDE = 8.0
"""A bin of so many times the usual width can hold much more than one value."""
_LATTICE = 0.5
"""A reference with more than this share on single values moves in steps."""


class Tables:
    """Of one numeric reference that holds something. B bins.

    occupied: bins that the reference has values in. images: of every unit, shape (units, B).
    """

    def __init__(self, reference: Reference, bins: Bins) -> None:
        self.bins = bins
        self.counts = np.array(reference.counts, dtype=np.float64)
        self.before: Floats = self.counts / self.counts.sum()
        self.occupied: Ints = np.flatnonzero(self.counts)
        self.exact = Distribution(bins, self.occupied, self.before)
        self.images = images_of(UNITS, bins, self.before)
        self.views: tuple[Distribution, ...] = (self.exact,)
        if self.occupied.size > 2 and self.before[bins.atoms].sum() > _LATTICE:
            self.views += (_rounded(bins, self.occupied, self.before),)

    def quantile(self, shares: Floats) -> Floats:
        """Values below which these shares of the reference lie."""
        return self.exact.quantile(shares)

    def below(self, value: float) -> float:
        """Share of the reference below a value."""
        return float(np.interp(value, self.exact.x, self.exact.cumulative))

    @cached_property
    def narrow(self) -> npt.NDArray[np.bool_]:
        """Bins of the reference's range that hold one value or little more, shape (B,)."""
        low, high = extent(self.bins, np.arange(self.bins.size))
        occupied_width = np.median((high - low)[self.occupied])
        return (self.bins.atoms | (self.counts > 0)) & (high - low <= _WIDE * occupied_width)

    @cached_property
    def top(self) -> tuple[float, float]:
        """The reference's .9 quantile and its largest value."""
        return float(self.quantile(np.array(0.9))), self.bins.highest

    @cached_property
    def bottom(self) -> tuple[float, float]:
        """The reference's .1 quantile and its smallest value."""
        return float(self.quantile(np.array(0.1))), self.bins.lowest

    @cached_property
    def sd(self) -> float:
        """A standard deviation that outliers do not move: of the middle 80 %, or more where that is nothing."""
        for tail in (0.1, 0.02, 0.0):
            low, high = self.quantile(np.array([tail, 1 - tail]))
            if high > low:
                return float(high - low) / 2.5
        return 0.0


class Distribution:
    """A distribution function, linear between its knots x, and where its pieces go when they have moved.

    edges: rising, shape (cells - 1,): what lies between two of them is one cell. bin_of: the bin of each cell.
    """

    def __init__(
        self, bins: Bins, occupied: Ints, before: Floats, edges: Floats | None = None, bin_of: Ints | None = None
    ) -> None:
        self.size = bins.size
        self.edges = bins.edge_array if edges is None else edges
        self.bin_of = np.arange(bins.size) if bin_of is None else bin_of
        if edges is None:
            low, high = extent(bins, occupied)
            self.x: Floats = np.column_stack((low, np.nextafter(high, np.inf))).ravel()
        else:
            inner = edges[(edges > bins.lowest) & (edges <= bins.highest)]
            first, last = bins.lowest, np.nextafter(bins.highest, np.inf)
            ends = np.concatenate(([first], inner, [last]))
            self.x = np.column_stack((ends[:-1], ends[1:])).ravel()
        upper = np.cumsum(before[occupied])
        self.cumulative: Floats = np.column_stack((upper - before[occupied], upper)).ravel()

    def quantile(self, shares: Floats) -> Floats:
        """Values below which these shares lie."""
        return np.interp(shares, self.cumulative, self.x)

    def images(self, origins: Floats) -> Floats:
        """Shares of the bins, shape (images, bins), when a rising transform has moved all values.

        origins: the values that the transforms move to `edges`, shape (images, cells - 1).
        """
        below = np.interp(origins, self.x, self.cumulative, left=0.0, right=1.0)
        mass = np.diff(below, prepend=0.0, append=1.0)
        if self.bin_of.size == self.size:
            return mass
        images = np.zeros((len(mass), self.size))
        images[:, self.bin_of] = mass
        return images


def _rounded(bins: Bins, occupied: Ints, before: Floats) -> Distribution:
    """The reference's own values with the gaps between them shared out: for values that move and are rounded again."""
    low, high = extent(bins, occupied)
    halfway = (high[:-1] + low[1:]) / 2
    halfway = np.maximum(halfway, np.nextafter(low[:-1], np.inf))
    beyond = bins.edge_array
    below, above = beyond[beyond <= bins.lowest], beyond[beyond > bins.highest]
    edges = np.concatenate((below, halfway, above))
    bin_of = np.concatenate((np.arange(below.size), occupied, np.arange(bins.size - above.size, bins.size)))
    return Distribution(bins, occupied, before, edges, bin_of.astype(np.intp))


class _Same:
    """A reference as a key: itself and no other, whatever it holds. Comparing thousands of counts would cost more."""

    def __init__(self, reference: Reference, bins: Bins) -> None:
        self.reference, self.bins = reference, bins

    def __hash__(self) -> int:
        return id(self.reference)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.reference is self.reference


@lru_cache(maxsize=_KEPT)
def _made(key: _Same) -> Tables:
    return Tables(key.reference, key.bins)


def tables_of(reference: Reference, bins: Bins) -> Tables:
    """The tables of a reference, `bins` its own; remembered by identity."""
    return _made(_Same(reference, bins))
