"""Sequences: which events of the Tidemark API a partition has seen, so that what a restart sends twice counts once.

Within one (partition, source, epoch) the sequence of an id only rises, so the highest is enough to know all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from contracts.events import parse_id

CAPACITY = 1024
"""Sources and epochs remembered; each start of an API process is a new one."""
BULK = 100
"""From so many ids on, looking at all together costs less than one by one."""
_FEW = 16
"""So many sources are told apart in bulk."""
_DIGITS = 10
_HEX = "0123456789abcdef"
_NO_DIGIT = 16
_VALUE = np.full(128, _NO_DIGIT, dtype=np.uint8)
_VALUE[list(_HEX.encode())] = range(16)
_WEIGHTS = 16 ** np.arange(_DIGITS - 1, -1, -1, dtype=np.int64)


class Sequences:
    """Highest sequence of each source and epoch, the least recently seen dropped beyond the capacity.

    bulk: from so many ids on they are looked at all together; the answer is the same.
    """

    __slots__ = ("_bulk", "_capacity", "_highest")

    def __init__(self, highest: dict[str, int] | None = None, capacity: int = CAPACITY, bulk: int = BULK) -> None:
        self._highest = dict(highest or {})  # by "source-epoch", as it is stored: that is done with each batch
        self._capacity, self._bulk = capacity, bulk

    def repeated(self, ids: Sequence[str]) -> list[int]:
        """Positions of the ids that were seen before, rising; remembers the others. A foreign id never repeats.

        ids: of events in the order of their offsets.
        """
        if len(ids) >= self._bulk:
            found = self._all_together(ids)
            if found is not None:
                return found
        return self._one_by_one(ids)

    def _one_by_one(self, ids: Sequence[str]) -> list[int]:
        found: list[int] = []
        prefix, source, highest = "", "", -1
        for position, text in enumerate(ids):
            # Without parse_id for one source after another: its regular expression costs as much as all else here.
            digits = text[-_DIGITS:]
            if not prefix or text[:-_DIGITS] != prefix or digits.strip(_HEX):
                prefix, source = text[:-_DIGITS], text[: -_DIGITS - 1]
                if prefix[-1:] != "-" or digits.strip(_HEX) or (source not in self._highest and not _ours(text)):
                    prefix = ""
                    continue
                highest = self._recall(source)
            sequence = int(digits, 16)
            if sequence <= highest:
                found.append(position)
            else:
                highest = self._highest[source] = sequence
        return found

    def _all_together(self, ids: Sequence[str]) -> list[int] | None:
        """None where one by one is called for: lengths differ, an id is foreign, or sources are many."""
        rows = _rows(ids)
        if rows is None:
            return None
        numbers = rows["digits"] @ _WEIGHTS
        sources = _by_source(rows["source"])
        if sources is None or len(self._highest) + len(sources) > self._capacity:
            return None
        if not all(source in self._highest or _ours(ids[positions[0]]) for source, positions in sources):
            return None
        found = []
        for source, positions in sources:
            seen = np.concatenate(([self._recall(source)], numbers[positions]))
            highest = np.maximum.accumulate(seen)
            found += positions[seen[1:] <= highest[:-1]].tolist()
            self._highest[source] = int(highest[-1])
        return sorted(found)

    def _recall(self, source: str) -> int:
        """The highest sequence of a source and epoch, -1 for a new one; makes it the one seen last."""
        highest = self._highest.pop(source, -1)
        self._highest[source] = highest
        if len(self._highest) > self._capacity:
            del self._highest[next(iter(self._highest))]
        return highest

    def snapshot(self) -> dict[str, int]:
        """Highest sequence by "source-epoch", least recently seen first."""
        return self._highest.copy()


def _ours(text: str) -> bool:
    parsed = parse_id(text)
    return parsed is not None and str(parsed) == text


def _rows(ids: Sequence[str]) -> npt.NDArray[np.void] | None:
    """Fields `source`, with its epoch, and `digits`, of which the values.

    None unless all ids have one length, and ten hex digits behind a hyphen.
    """
    length, together = len(ids[0]), "".join(ids)
    if length <= _DIGITS + 1 or set(map(len, ids)) != {length} or not together.isascii() or "\0" in together:
        return None
    fields = np.dtype([("source", f"S{length - _DIGITS - 1}"), ("hyphen", "S1"), ("digits", np.uint8, _DIGITS)])
    rows = np.frombuffer(bytearray(together, "ascii"), fields)
    rows["digits"] = _VALUE[rows["digits"]]
    return rows if rows["digits"].max() < _NO_DIGIT and (rows["hyphen"] == b"-").all() else None


def _by_source(names: npt.NDArray[np.bytes_]) -> list[tuple[str, npt.NDArray[np.intp]]] | None:
    """Each source and epoch with its positions, the one seen last at the end; None when they are many."""
    found: list[tuple[str, npt.NDArray[np.intp]]] = []
    left = np.arange(len(names))
    while left.size:
        if len(found) == _FEW:
            return None
        name = names[left[-1]]
        same = names[left] == name
        found.append((name.decode(), left[same]))
        left = left[~same]
    return found[::-1]
