"""Sequences: which events of the Tidemark API a partition has seen, so that what a restart sends twice counts once.

Within one (partition, source, epoch) the sequence of an id only rises, so the highest is enough to know all.
"""

from __future__ import annotations

from collections.abc import Iterable

from contracts.events import parse_id

CAPACITY = 1024
"""Sources and epochs remembered; each start of an API process is a new one."""
_DIGITS = 10
_HEX = "0123456789abcdef"


class Sequences:
    """Highest sequence of each source and epoch, the least recently seen dropped beyond the capacity."""

    __slots__ = ("_capacity", "_highest")

    def __init__(self, highest: dict[str, int] | None = None, capacity: int = CAPACITY) -> None:
        self._highest = {f"{source}-": sequence for source, sequence in (highest or {}).items()}
        self._capacity = capacity

    def repeated(self, ids: Iterable[str]) -> list[int]:
        """Positions of the ids that were seen before; remembers the others. A foreign id never repeats.

        ids: of events in the order of their offsets.
        """
        found: list[int] = []
        prefix, highest = "", -1
        for position, text in enumerate(ids):
            # Without parse_id for one source after another: its regular expression costs as much as all else here.
            digits = text[-_DIGITS:]
            if not prefix or text[:-_DIGITS] != prefix or digits.strip(_HEX):
                prefix = ""
                parsed = parse_id(text)
                if parsed is None or str(parsed) != text:
                    continue
                prefix = text[:-_DIGITS]
                highest = self._recall(prefix)
            sequence = int(digits, 16)
            if sequence <= highest:
                found.append(position)
            else:
                highest = self._highest[prefix] = sequence
        return found

    def _recall(self, prefix: str) -> int:
        """The highest sequence of a source, -1 for a new one; makes it the one seen last."""
        highest = self._highest.pop(prefix, -1)
        self._highest[prefix] = highest
        if len(self._highest) > self._capacity:
            del self._highest[next(iter(self._highest))]
        return highest

    def snapshot(self) -> dict[str, int]:
        """Highest sequence by "source-epoch", least recently seen first."""
        return {prefix[:-1]: sequence for prefix, sequence in self._highest.items()}
