"""The parts of one window added up: one addition a part, over all of its features at once.

Twenty features of a thousand source partitions are 21,000 histograms; an addition for each would take most of a close.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from msgspec.structs import astuple

from contracts.baseline import Baseline
from contracts.histogram import WIDTHS, Histogram
from contracts.partials import PartialAggregate
from contracts.window import WindowCounts


def summed(parts: Iterable[PartialAggregate], baseline: Baseline) -> WindowCounts:
    """The counts of parts that name this baseline; equal to merging them one after the other."""
    total = WindowCounts(baseline)
    histograms = (total.score, *total.features)
    sizes = [histogram.bins.size for histogram in histograms]
    widths = {tuple(width * size for size in sizes): width for width in WIDTHS}
    joined = np.zeros(sum(sizes), dtype=np.int64)
    rest: list[tuple[Any, ...]] = []
    for part in parts:
        counts, missing, minimum, maximum = zip(*map(astuple, (part.score, *part.features)), strict=True)
        width = widths.get(tuple(map(len, counts)))
        if width is None:  # these bins are not the baseline's, whatever the part says
            continue
        joined += np.frombuffer(b"".join(counts), dtype=f"<u{width}")
        rest.append((missing, minimum, maximum))
        total.rows += part.rows
        total.positives += part.positives
        total.decided += part.decided
        total.shadow_rows += part.shadow_rows
    start = 0
    for histogram in histograms:
        histogram.counts += joined[start : start + histogram.bins.size]
        start += histogram.bins.size
    if rest:
        _add_the_rest(histograms, rest)
    return total


def _add_the_rest(histograms: Sequence[Histogram], rest: Sequence[tuple[Any, ...]]) -> None:
    """rest: (missing, minimum, maximum) of each part, each with a value for each histogram; None is NaN in an array."""
    missing = np.array([row[0] for row in rest], dtype=np.int64).sum(axis=0)
    lows = np.fmin.reduce(np.array([row[1] for row in rest], dtype=np.float64))
    highs = np.fmax.reduce(np.array([row[2] for row in rest], dtype=np.float64))
    for histogram, more, low, high in zip(histograms, missing.tolist(), lows.tolist(), highs.tolist(), strict=True):
        histogram.missing += more
        if low == low and high == high:  # some part had a value
            histogram.stretch(low, high)
