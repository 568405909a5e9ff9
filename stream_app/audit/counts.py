"""Counts: the stored state of stage 1, read while workers write. Pure.

Stage 1 writes each batch's windows in front of its meta record, and forgets a window when stage 2's topic has it. A log
that ends anywhere may so hold windows ahead of the position, and stage 2, which is read later, may have more than both.
So it is followed: read on, until each source partition is level, its position behind all that its windows and stage 2's
parts tell of; there its reading ends. What is deleted meanwhile is kept: what stage 2 was read with may not have it.
"""

from __future__ import annotations

from collections.abc import Iterable

from contracts.partials import PartialAggregate, partial_offset
from stream_app.windowing.newest import Newest
from stream_app.windowing.state import MetaKey, PartitionMeta, age_of, decode_meta, decode_part, parse_key


class Counts:
    """Give it the topic's records with take(); then stage 2's parts with follow(), and what was written since; hold(),
    and what comes then.
    """

    def __init__(self) -> None:
        self._newest = Newest(age_of)
        self._positions: dict[int, int] = {}
        self._reached: dict[int, int] = {}
        self._following = self._holding = False
        self._held: set[int] = set()

    @property
    def metas(self) -> tuple[PartitionMeta, ...]:
        """Raises InvalidMessage, as the others do."""
        stored = self._newest.values.items()
        return tuple(decode_meta(value) for key, value in stored if isinstance(parse_key(key), MetaKey))

    @property
    def open_windows(self) -> tuple[PartialAggregate, ...]:
        """Those that stage 2 was not told of when it was read."""
        stored = self._newest.values.items()
        return tuple(decode_part(value) for key, value in stored if not isinstance(parse_key(key), MetaKey))

    def take(self, key: bytes, value: bytes | None) -> None:
        """The topic's next record; None deletes. Behind the place where a partition is held all is passed over."""
        number = parse_key(key).partition
        if number in self._held or (self._following and value is None):
            return
        self._newest.take(key, value)
        if self._following and value is not None:
            self._measure(key, value)
            if self._holding and self.level(number):
                self._held.add(number)

    def follow(self, parts: Iterable[PartialAggregate]) -> None:
        """From here on nothing is deleted. parts: of stage 2."""
        self._following = True
        for key, value in self._newest.values.items():
            self._measure(key, value)
        for part in parts:
            self._reached[part.partition] = max(part.offset, self._reached.get(part.partition, -1))

    def hold(self) -> None:
        """All that was written before stage 2 was read is there: from here on a partition is read until it is level."""
        self._holding = True
        self._held = {number for number in self._positions if self.level(number)}

    def level(self, number: int) -> bool:
        """Whether the position of a source partition is behind all that is told of it."""
        return self._positions.get(number, -1) >= self._reached.get(number, -1)

    def _measure(self, key: bytes, value: bytes) -> None:
        parsed = parse_key(key)
        if isinstance(parsed, MetaKey):
            # A former owner may have written late: what is older does not take the position back.
            position = self._positions.get(parsed.partition, -1)
            self._positions[parsed.partition] = max(decode_meta(value).last_offset, position)
        else:
            reached = self._reached.get(parsed.partition, -1)
            self._reached[parsed.partition] = max(partial_offset(value), reached)
