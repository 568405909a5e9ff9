"""HistogramRow: the histograms of one window side by side in one array, to count few rows into all of them at once.

Of 40 rows numpy counts a feature in a microsecond and takes ten for being called. Here it is called once for all
features, but for finding the bins of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from contracts.binning import Binning, Bins, Floats
from contracts.histogram import Counts, Histogram, numbers_of


class _Numeric(NamedTuple):
    """position: among the histograms."""

    position: int
    edges: Floats


class _Places(dict[Any, int]):
    """Where the bin of a value lies in the row; of a missing one it is behind the row."""

    unseen: int

    def __missing__(self, value: Any) -> int:
        return self.unseen


class _Levelled(NamedTuple):
    position: int
    places: _Places


class RowLayout:
    """Where the bins of histograms lie in one array. Behind the last one is a place for what is in no bin."""

    def __init__(self, binnings: Sequence[Binning]) -> None:
        self.binnings = tuple(binnings)
        ends = np.cumsum([bins.size for bins in binnings]).tolist()
        self.spans = tuple(slice(end - bins.size, end) for bins, end in zip(binnings, ends, strict=True))
        self.size: int = ends[-1]
        self.numeric: list[_Numeric] = []
        self.levelled: list[_Levelled] = []
        for i, (bins, span) in enumerate(zip(binnings, self.spans, strict=True)):
            if isinstance(bins, Bins):
                self.numeric.append(_Numeric(i, bins.edge_array))
            else:
                places = _Places({value: span.start + bin_ for value, bin_ in bins.bin_of.items()})
                places[None], places.unseen = self.size, span.start + bins.unseen
                self.levelled.append(_Levelled(i, places))
        self.starts = np.array([[self.spans[numeric.position].start] for numeric in self.numeric], dtype=np.intp)


class HistogramRow:
    """`histograms` over the layout's bins, empty at first. They may be added to one by one as well."""

    __slots__ = ("_all", "_layout", "_numeric", "histograms")

    def __init__(self, layout: RowLayout) -> None:
        self._layout = layout
        self._all = np.zeros(layout.size + 1, dtype=np.int64)
        self.histograms = tuple(
            Histogram(bins, self._all[span]) for bins, span in zip(layout.binnings, layout.spans, strict=True)
        )
        self._numeric = [self.histograms[numeric.position] for numeric in layout.numeric]

    def add(self, columns: Sequence[Any]) -> bool:
        """Count rows given by column, as many in each, at least one: what adding each column to its histogram does.

        False, and nothing counted, where a number is infinite: then that is to be done.
        """
        layout = self._layout
        places: list[Any] = []
        numbers = np.array([numbers_of(columns[numeric.position]) for numeric in layout.numeric])
        if numbers.size:
            lows, highs = np.fmin.reduce(numbers, axis=1).tolist(), np.fmax.reduce(numbers, axis=1).tolist()
            if inf in highs or -inf in lows:
                return False
            found = [mine.edges.searchsorted(row, "right") for mine, row in zip(layout.numeric, numbers, strict=True)]
            bins = np.array(found) + layout.starts
            self._note(np.isnan(numbers), bins, lows, highs)
            places.append(bins.ravel())
        for position, place_of in layout.levelled:
            column = list(columns[position])
            if missing := column.count(None):
                self.histograms[position].missing += missing
            places.append(list(map(place_of.__getitem__, column)))
        np.add.at(self._all, np.concatenate(places), 1)
        return True

    def _note(
        self, absent: npt.NDArray[np.bool_], bins: npt.NDArray[np.intp], lows: list[float], highs: list[float]
    ) -> None:
        """What is not in the bins; bins: that of what is absent is to be the place behind the row."""
        for histogram, low, high in zip(self._numeric, lows, highs, strict=True):
            if low == low and (histogram.minimum is None or low < histogram.minimum or high > histogram.maximum):  # type: ignore[operator]
                histogram.stretch(low, high)
        if absent.any():
            bins[absent] = self._layout.size
            for histogram, missing in zip(self._numeric, absent.sum(axis=1).tolist(), strict=True):
                histogram.missing += missing


def values_of(histograms: Sequence[Histogram], width: int) -> list[Counts]:
    """What each histogram's `value` is."""
    data = np.concatenate([histogram.counts for histogram in histograms]).astype(f"<u{width}").tobytes()
    values, start = [], 0
    for mine in histograms:
        end = start + mine.counts.size * width
        values.append(Counts(data[start:end], mine.missing, mine.minimum, mine.maximum))
        start = end
    return values
