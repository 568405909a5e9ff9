"""Histogram: how often each bin of one feature was hit. Merging two equals counting both samples at once, exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from contracts.binning import Binning, Bins, Counted, Levels
from contracts.errors import InvalidMessage

WIDTHS = (1, 2, 4, 8)
"""Bytes a bin may have as it travels."""


class Counts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A histogram's numbers as they travel. counts: one unsigned integer a bin, little endian, of 8 to 64 bits.

    missing: values that were not there. minimum, maximum: of the numeric values seen, None before the first.
    """

    counts: bytes
    missing: int = 0
    minimum: float | None = None
    maximum: float | None = None


class Histogram:
    """Counts over fixed bins. `counts` (int64, shape (bins.size,)) never includes missing values."""

    __slots__ = ("bins", "counts", "maximum", "minimum", "missing")

    def __init__(self, bins: Binning, counts: Counted | None = None) -> None:
        """counts: zeros to count in, shape (bins.size,); its own where none are given."""
        self.bins = bins
        self.counts: Counted = np.zeros(bins.size, dtype=np.int64) if counts is None else counts
        self.missing = 0
        self.minimum: float | None = None
        self.maximum: float | None = None

    def add(self, values: Sequence[float | None] | Sequence[str | bool | None] | npt.NDArray[np.float64]) -> None:
        """Count values. Numeric: None and NaN are missing. Infinities fall into the outer bins;
        minimum and maximum are of the finite values."""
        if isinstance(self.bins, Levels):
            counts, missing = self.bins.count(values)  # type: ignore[arg-type]
        else:
            rising = np.array(numbers_of(values))
            rising.sort()  # NaN comes last
            if rising.size and math.isnan(rising[-1]):
                rising = rising[: rising.searchsorted(np.nan)]
            counts, missing = self.bins.count(rising), len(values) - rising.size
            if rising.size and (math.isinf(rising[0]) or math.isinf(rising[-1])):
                rising = rising[np.isfinite(rising)]  # an infinite extreme would be null in a report
            if rising.size:
                self.stretch(float(rising[0]), float(rising[-1]))
        self.counts += counts
        self.missing += missing

    def merge(self, other: Histogram) -> None:
        """Add another histogram over the same bins. Raises InvalidMessage when the bins differ."""
        if self.bins is not other.bins and self.bins != other.bins:
            raise InvalidMessage("histograms over different bins cannot be added")
        self.counts += other.counts
        self.missing += other.missing
        if other.minimum is not None and other.maximum is not None:
            self.stretch(other.minimum, other.maximum)

    def stretch(self, low: float, high: float) -> None:
        """Values from `low` to `high` were seen."""
        low, high = low + 0.0, high + 0.0  # else the sign of a zero would depend on where the batches were cut
        self.minimum = low if self.minimum is None else min(self.minimum, low)
        self.maximum = high if self.maximum is None else max(self.maximum, high)

    @property
    def known(self) -> int:
        """Values that were there."""
        return int(self.counts.sum())

    @property
    def rows(self) -> int:
        """All values counted, missing ones included."""
        return self.known + self.missing

    @property
    def out_of_range(self) -> int:
        """Values outside the reference's range; 0 for categorical features."""
        return self.known - int(self.counts[self.bins.inside].sum()) if isinstance(self.bins, Bins) else 0

    @property
    def unseen(self) -> int:
        """Values of levels that the reference never had; 0 for numeric features."""
        return int(self.counts[self.bins.unseen]) if isinstance(self.bins, Levels) else 0

    def value(self, *, width: int = 4) -> Counts:
        """The numbers as they travel. width: bytes a bin, see `width_of`."""
        return Counts(self.counts.astype(f"<u{width}").tobytes(), self.missing, self.minimum, self.maximum)

    @classmethod
    def of(cls, bins: Binning, value: Counts) -> Histogram:
        """The histogram that `value` was taken of. Raises InvalidMessage when it does not fit the bins."""
        histogram = cls(bins)
        histogram.take(value)
        return histogram

    def take(self, value: Counts) -> None:
        """Become the histogram that `value` was taken of; empty as yet. Raises InvalidMessage, see `of`."""
        width = len(value.counts) / self.bins.size
        if width not in WIDTHS:
            raise InvalidMessage(
                f"{len(value.counts)} bytes of counts for {self.bins.size} bins: made with another baseline"
            )
        self.counts += np.frombuffer(value.counts, dtype=f"<u{width:.0f}").astype(np.int64)
        self.missing, self.minimum, self.maximum = value.missing, value.minimum, value.maximum


def numbers_of(values: Any) -> npt.NDArray[np.float64]:
    """float64, None as NaN; an array as it is. Of a sequence fromiter makes it in half of np.array's time."""
    if isinstance(values, np.ndarray):
        return np.asarray(values, dtype=np.float64)
    return np.fromiter(values, np.float64, len(values))


def width_of(most: int) -> int:
    """As few bytes a bin as counts of up to `most` need: with the rows of a window looking at each bin is saved."""
    return next(width for width in WIDTHS if most < 1 << 8 * width)
