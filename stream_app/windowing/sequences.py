"""Sequences: which events of the Tidemark API a partition has seen, so that what a restart sends twice counts once.

Within one (partition, source, epoch) the sequence of an id only rises, so the highest is enough to know all.
"""

from __future__ import annotations

from contracts.events import parse_id

CAPACITY = 1024
"""Sources and epochs remembered; each start of an API process is a new one."""
_DIGITS = 10
_HEX = "0123456789abcdef"


class Sequences:
    """Highest sequence of each "source-epoch", the least recently seen dropped beyond the capacity."""

    __slots__ = ("_capacity", "_highest", "_latest")

    def __init__(self, highest: dict[str, int] | None = None, capacity: int = CAPACITY) -> None:
        self._highest = dict(highest or {})
        self._capacity = capacity
        self._latest = next(reversed(self._highest), "")

    def repeats(self, event_id: str) -> bool:
        """Whether an id was seen before; remembers it if not. A foreign id never repeats: nothing is known of it."""
        # The common case without the regular expression of parse_id, which costs as much as all the rest of stage 1.
        source, digits = event_id[: -_DIGITS - 1], event_id[-_DIGITS:]
        highest = self._highest.get(source)
        if highest is None or digits.strip(_HEX) or event_id[-_DIGITS - 1] != "-":
            parsed = parse_id(event_id) if event_id[-_DIGITS - 1 : -_DIGITS] == "-" else None
            if parsed is None:
                return False
            self._highest[source] = parsed.sequence
            self._latest = source
            if len(self._highest) > self._capacity:
                del self._highest[next(iter(self._highest))]
            return False
        if source != self._latest:
            self._highest[source] = self._highest.pop(source)
            self._latest = source
        sequence = int(digits, 16)
        if sequence <= highest:
            return True
        self._highest[source] = sequence
        return False

    def snapshot(self) -> dict[str, int]:
        """ "source-epoch" -> highest sequence, least recently seen first."""
        return dict(self._highest)
