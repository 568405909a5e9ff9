"""Windows of the reference: its rows cut by time as the stream cuts events, so that one can be held against the rest.

Tumbling, in UTC, aligned to the epoch. A window of fewer than 200 rows is thin: the stream merges it into the next one,
up to 24 of them, and so does this. Left out are the oldest of more than 24, as in the stream, and what is thin at the
end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_app.drift.rule import CALIBRATED
from training.data.times import Milliseconds
from training.errors import DataError

FEWEST_ROWS = CALIBRATED.n_min
MOST_THIN = 24
"""Thin windows that the stream keeps to be merged into the next one."""
_UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_LENGTH = re.compile(r"(\d+)([smhd])")
_SHORTEST, _LONGEST = 10_000, 7 * _UNITS["d"]


@dataclass(frozen=True, eq=False)
class Windows:
    """of_row: number of the window that each row is in, -1: in none, shape (rows,). count: how many windows."""

    of_row: npt.NDArray[np.int64]
    count: int

    def rows(self, among: npt.NDArray[np.intp] | None = None) -> list[npt.NDArray[np.intp]]:
        """Positions of each window's rows, in rising order. among: of these rows only, as positions in this array."""
        number = self.of_row if among is None else self.of_row[among]
        order = np.argsort(number, kind="stable")
        return np.split(order, np.searchsorted(number[order], np.arange(self.count + 1)))[1:-1]


def window_length(text: str) -> int:
    """Milliseconds of a length such as 30m, 6h or 1d, from 10s to 7d. Raises DataError.

    >>> window_length("30m"), window_length("1d")
    (1800000, 86400000)
    """
    found = _LENGTH.fullmatch(text.strip())
    length = int(found[1]) * _UNITS[found[2]] if found else 0
    if not _SHORTEST <= length <= _LONGEST:
        raise DataError(
            f"--window {text}: a window's length is a whole number and a unit (s, m, h or d) from 10s to 7d, such as "
            "30m or 1d"
        )
    return length


def spelt(milliseconds: int) -> str:
    """A length in the greatest unit that leaves a whole number.

    >>> spelt(1_800_000), spelt(86_400_000)
    ('30m', '1d')
    """
    unit = next(unit for unit in reversed(_UNITS) if milliseconds % _UNITS[unit] == 0)
    return f"{milliseconds // _UNITS[unit]}{unit}"


def cut(times: Milliseconds, length: int, fewest: int = FEWEST_ROWS) -> Windows:
    """The windows of rows that happened at `times`, shape (rows,), in any order. length: milliseconds.

    >>> cut(np.array([0, 5, 10, 20, 21, 30]), 10, fewest=2).of_row.tolist()   # 1 row from 10 on: merged into the next
    [0, 0, 1, 1, 1, -1]
    """
    starts, of_start, rows = np.unique(times // length, return_inverse=True, return_counts=True)
    number = np.full(starts.size, -1, dtype=np.int64)
    count, begun = 0, 0
    for i in range(starts.size):
        begun = max(begun, i - MOST_THIN)
        if rows[begun : i + 1].sum() >= fewest:
            number[begun : i + 1] = count
            count, begun = count + 1, i + 1
    return Windows(number[of_start], count)
