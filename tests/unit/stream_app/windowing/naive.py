"""The brute-force model: what must come of a log of events, said so plainly that it can be checked by reading.

It shares no code with what it judges (a test sees to that): no batches, no stored state, no numpy, no decoder. It is
given what each producer meant, not the bytes, and goes through a partition's log from its beginning, row by row.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

Value = float | str | bool | None
Window = tuple[str, str, int]
"""Model, version, start in milliseconds."""


class Row(NamedTuple):
    """What one record means. numbered: the id is one of the API's. time, stamp: event time and the broker's, in ms.

    broken: the reason for which the record cannot be an event at all; everything else is then nothing.
    """

    id: str = ""
    numbered: bool = False
    time: int = 0
    stamp: int = 0
    model: str = ""
    version: str = ""
    score: float = 0.0
    decision: bool | None = None
    role: str = "champion"
    features: Mapping[str, Value] = {}
    broken: str = ""


class Rules(NamedTuple):
    """How time is cut, how late an event may be, how far from the broker's clock; all in milliseconds."""

    size: int
    lateness: int
    future: int
    age: int


class Moved(NamedTuple):
    """The wall clock moved the watermark of an idle partition when it had read everything before this offset."""

    offset: int
    to: int


class Book:
    """What one source partition must have done with its log."""

    def __init__(self) -> None:
        self.windows: dict[Window, list[Row]] = defaultdict(list)
        self.late: Counter[tuple[str, str]] = Counter()
        self.repeats: Counter[tuple[str, str]] = Counter()
        self.refused: Counter[str] = Counter()


def book(log: Sequence[Row], moves: Iterable[Moved], rules: Rules) -> Book:
    """One row after the other: refused, seen before, too late, or counted into the window of its event time."""
    made, seen, waiting = Book(), set[str](), list(moves)
    watermark = float("-inf")
    for offset, row in enumerate(log):
        while waiting and waiting[0].offset <= offset:
            watermark = max(watermark, waiting.pop(0).to)
        version, start = (row.model, row.version), row.time - row.time % rules.size
        if row.broken:
            made.refused[row.broken] += 1
        elif row.time - row.stamp > rules.future:
            made.refused["future"] += 1
        elif row.stamp - row.time > rules.age:
            made.refused["ancient"] += 1
        elif row.numbered and row.id in seen:  # of a foreign id nothing is known: it may be anybody's
            made.repeats[version] += 1
        else:
            seen.add(row.id)
            if start + rules.size <= watermark:
                made.late[version] += 1
            else:
                made.windows[*version, start].append(row)
                watermark = max(watermark, row.time - rules.lateness)
    return made


class Numeric(NamedTuple):
    """A numeric column's bins: the i-th holds edges[i-1] <= value < edges[i]."""

    edges: Sequence[float]


class Named(NamedTuple):
    """A text column's bins: one for each level, one for those of `rest`, one for all others."""

    levels: Sequence[str]
    rest: Sequence[str]


class Tally(NamedTuple):
    """How often each bin was hit, how many values were not there, the least and the greatest number."""

    counts: list[int]
    missing: int
    lowest: float | None
    highest: float | None


def tally(values: Iterable[Value], bins: Numeric | Named) -> Tally:
    """Count one value at a time."""
    counts = [0] * (len(bins.edges) + 1 if isinstance(bins, Numeric) else len(bins.levels) + 2)
    numbers, missing = [], 0
    for value in values:
        if value is None:
            missing += 1
        elif isinstance(bins, Numeric):
            assert isinstance(value, float)
            counts[bisect_right(bins.edges, value)] += 1
            numbers.append(value)
        else:
            level = str(value).lower() if isinstance(value, bool) else value
            rare = len(bins.levels) + (level not in bins.rest)
            counts[[*bins.levels].index(level) if level in bins.levels else rare] += 1
    return Tally(counts, missing, min(numbers, default=None), max(numbers, default=None))
