"""Panel: the reference histograms of many features laid end to end, so that one numpy call serves them all.

Statistics per feature are then sums or maxima over segments of one long array: closing a window costs microseconds a
feature instead of tens of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from contracts.baseline import Reference
from contracts.binning import Bins
from contracts.histogram import Histogram

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
PanelKind = Literal["numeric", "categorical", "decision"]
Number = TypeVar("Number", np.int64, np.float64, np.bool_)


class Panel:
    """The references of F features of one kind, with B bins in all. "flat" arrays have shape (B,), others (F,).

    A decision is a feature of two levels. Constant after construction.
    """

    def __init__(self, kind: PanelKind, references: Sequence[Reference]) -> None:
        if not references:
            raise ValueError("a panel needs at least one reference")
        self.kind = kind
        self.references = tuple(references)
        self.sizes: Ints = np.array([reference.bins.size for reference in references], dtype=np.int64)
        self.starts: Ints = np.concatenate(([0], np.cumsum(self.sizes)[:-1]))
        self.ends: Ints = self.starts + self.sizes
        usual = [_usual(reference) for reference in references]
        self.usual: tuple[Ints, Ints] = (
            self.starts + np.array([own.start for own in usual], dtype=np.int64),
            self.starts + np.array([own.stop for own in usual], dtype=np.int64),
        )
        """First and last + 1 of each feature's bins that are no surprise: within its range, or of levels it had."""
        self.counted = PanelCounts(self, [reference.histogram for reference in references])
        """The references' own counts."""

    def spread(self, values: npt.NDArray[Number]) -> npt.NDArray[Number]:
        """One value per feature, repeated over its bins: flat."""
        return np.repeat(values, self.sizes)

    def total(self, flat: npt.NDArray[Number]) -> npt.NDArray[Number]:
        """Sum over each feature's bins."""
        return np.add.reduceat(flat, self.starts)

    def largest(self, flat: npt.NDArray[Number]) -> npt.NDArray[Number]:
        """Maximum over each feature's bins."""
        return np.maximum.reduceat(flat, self.starts)


class PanelCounts:
    """Counts over a panel's bins: a window's, or the references' own. n: values known; rows: missing included."""

    def __init__(self, panel: Panel, histograms: Sequence[Histogram]) -> None:
        self.panel = panel
        self.missing: Ints = np.array([histogram.missing for histogram in histograms], dtype=np.int64)
        # Counts are summed up in place: of 1,000 features they fill megabytes, and writing those takes the time
        self._below: Ints = np.empty(int(panel.ends[-1]) + 1, dtype=np.int64)
        self._below[0] = 0
        np.concatenate([histogram.counts for histogram in histograms], out=self._below[1:])
        np.cumsum(self._below, out=self._below)
        self.n: Ints = self.between(panel.starts, panel.ends)
        self.rows: Ints = self.n + self.missing

    def between(self, first: Ints, last: Ints) -> Ints:
        """How many values are in the flat bins from each of `first` up to, without it, each of `last`."""
        counted: Ints = self._below[last] - self._below[first]
        return counted

    @cached_property
    def counts(self) -> Ints:
        """Known values in each bin, flat."""
        return np.diff(self._below)

    def at(self, bins: Ints) -> Ints:
        """`counts` of a few bins, without making all of them."""
        return self.between(bins, bins + 1)

    @cached_property
    def shares(self) -> Floats:
        """Share of the known values in each bin, flat; 0 for a feature without a known value."""
        shares: Floats = self.counts / self.panel.spread(np.maximum(self.n, 1))
        return shares

    @cached_property
    def cumulative(self) -> Floats:
        """Share of the known values in each bin and those below it, flat. Counts are summed before they are divided:
        equal counts give equal shares, to the last bit."""
        return self._cumulative()

    @cached_property
    def ahead(self) -> Floats:
        """`cumulative` less the references', flat; 0 for a feature without values on either side."""
        ahead = self._cumulative()
        ahead -= self.panel.counted.cumulative
        nothing = (self.n == 0) | (self.panel.counted.n == 0)
        if nothing.any():
            ahead[self.panel.spread(nothing)] = 0.0
        return ahead

    def _cumulative(self) -> Floats:
        own = self.panel.spread(self._below[self.panel.starts])
        np.subtract(self._below[1:], own, out=own)
        cumulative = own.astype(np.float64)  # divided as integers they would take twice as long
        cumulative /= self.panel.spread(np.maximum(self.n, 1).astype(np.float64))
        return cumulative

    @cached_property
    def excess(self) -> Floats:
        """Share of the known values in each bin less the references', flat; 0 as `ahead`, which ends at 0 for each
        feature, so that the differences of its neighbours are those of the shares."""
        ahead = self.ahead
        excess = np.empty_like(ahead)
        excess[0] = ahead[0]
        np.subtract(ahead[1:], ahead[:-1], out=excess[1:])
        return excess

    @cached_property
    def strange(self) -> Ints:
        """Known values that the reference never had."""
        return self.n - self.between(*self.panel.usual)


def _usual(reference: Reference) -> slice:
    """The bins of one feature that hold what the reference had (in its range, or not UNSEEN)."""
    return reference.bins.inside if isinstance(reference.bins, Bins) else slice(0, reference.bins.unseen)
