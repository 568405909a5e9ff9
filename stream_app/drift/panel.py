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
Number = TypeVar("Number", np.int64, np.float64)


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
        self.strange: Flags = np.concatenate([_strange(reference) for reference in references])
        """Flat: bins that hold what the reference never had (out of its range, or UNSEEN)."""
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
        self.counts: Ints = np.concatenate([histogram.counts for histogram in histograms])
        self.missing: Ints = np.array([histogram.missing for histogram in histograms], dtype=np.int64)
        self.n: Ints = panel.total(self.counts)
        self.rows: Ints = self.n + self.missing

    @cached_property
    def shares(self) -> Floats:
        """Share of the known values in each bin, flat; 0 for a feature without a known value."""
        shares: Floats = self.counts / self.panel.spread(np.maximum(self.n, 1))
        return shares

    @cached_property
    def cumulative(self) -> Floats:
        """Share of the known values in each bin and those below it, flat. Counts are summed before they are divided:
        equal counts give equal shares, to the last bit."""
        below = np.cumsum(self.counts)
        before = below[self.panel.starts] - self.counts[self.panel.starts]
        cumulative: Floats = (below - self.panel.spread(before)) / self.panel.spread(np.maximum(self.n, 1))
        return cumulative

    @cached_property
    def strange(self) -> Ints:
        """Known values that the reference never had."""
        return self.panel.total(self.counts * self.panel.strange)


def _strange(reference: Reference) -> Flags:
    flags = np.ones(reference.bins.size, dtype=np.bool_)
    if isinstance(reference.bins, Bins):
        flags[reference.bins.inside] = False
    else:
        flags[: reference.bins.unseen] = False
    return flags
