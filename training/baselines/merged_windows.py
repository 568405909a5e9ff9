"""How far windows reach that were merged because they were thin. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from training.baselines.windows import Windows, spelt
from training.data.times import Milliseconds


def lengths(windows: Windows, times: Milliseconds, length: int) -> npt.NDArray[np.int64]:
    """How many lengths each window reaches over, from its first row to its last, shape (windows.count,).

    >>> lengths(Windows(np.array([0, 0, 1, -1]), 2), np.array([0, 25, 30, 41]), 10).tolist()
    [3, 1]
    """
    inside = windows.of_row >= 0
    number, slot = windows.of_row[inside], times[inside] // length
    first = np.full(windows.count, np.iinfo(np.int64).max)
    last = np.full(windows.count, np.iinfo(np.int64).min)
    np.minimum.at(first, number, slot)
    np.maximum.at(last, number, slot)
    reach: npt.NDArray[np.int64] = last - first + 1
    return reach


def windows_in_words(windows: Windows, times: Milliseconds, length: int) -> tuple[str, list[str]]:
    """Their number and length; and what to think of it, where most were merged.

    Learning from them is right as long as the stream's windows are as thin: it merges them alike, and what is compared
    is as long as what was learnt from. Where it has more rows it merges less, and shorter windows differ more.
    """
    reach = lengths(windows, times, length)
    merged = int((reach > 1).sum())
    if not merged:
        return f"{windows.count} windows of {spelt(length)}", []
    typical = round(float(np.median(reach)))
    if typical == 1:
        return f"{windows.count} windows of {spelt(length)}, {merged} of them merged with thin ones before", []
    return f"{windows.count} windows, merged from {spelt(length)} to about {spelt(typical * length)}", [
        f"            as the stream merges thin windows: right if it has as few rows in {spelt(length)}; where it has",
        "            more, its windows are shorter and differ more than was learnt: give a reference with as many rows",
    ]
