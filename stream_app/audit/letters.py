"""Letters: which offsets are on dead-letters, and which of those were counted after all. Pure.

A letter is out before the position that tells of it is stored. A worker that dies in between leaves the letter behind,
and the record is read again: as before, but for `unknown-version`, since the baseline may have come meanwhile. The
state is right then. It says how many were refused, not which: those read again are the last ones.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from contracts.dead_letters import DeadLetter
from contracts.errors import InvalidEvent
from contracts.events import decode_envelope
from stream_app.windowing.state import PartitionMeta
from stream_app.windowing.typed import Version


class Letters(msgspec.Struct, frozen=True):
    """By source partition. refused: offsets that have a letter. unknown: those of them that lacked nothing but a
    baseline, and the model version it was to be of.
    """

    refused: Mapping[int, frozenset[int]] = {}
    unknown: Mapping[int, Mapping[int, Version]] = {}


class LettersSoFar:
    """What is kept of the letters about records of `topic`; each record counts once, however often it was refused."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._refused: dict[int, set[int]] = {}
        self._unknown: dict[int, dict[int, Version]] = {}
        self._otherwise: set[tuple[int, int]] = set()

    def take(self, letter: DeadLetter) -> None:
        """The topic's next one."""
        if letter.topic != self._topic:
            return
        self._refused.setdefault(letter.partition, set()).add(letter.offset)
        version = _version(letter)
        if version is None:
            self._otherwise.add((letter.partition, letter.offset))
        else:
            self._unknown.setdefault(letter.partition, {})[letter.offset] = version

    def letters(self) -> Letters:
        """All that were given."""
        return Letters(
            {number: frozenset(offsets) for number, offsets in self._refused.items()},
            {
                number: {offset: name for offset, name in found.items() if (number, offset) not in self._otherwise}
                for number, found in self._unknown.items()
            },
        )


def counted_after_all(letters: Letters, meta: PartitionMeta) -> frozenset[int]:
    """Offsets with a letter that stage 1 has counted: as many as there are more letters than records refused."""
    known = [offset for offset in letters.refused.get(meta.partition, ()) if offset <= meta.last_offset]
    more = len(known) - sum(meta.refused.values())
    may = [
        offset
        for offset, version in sorted(letters.unknown.get(meta.partition, {}).items())
        if offset <= meta.last_offset and version in meta.accounts
    ]
    return frozenset(may[-more:]) if more > 0 else frozenset()


def _version(letter: DeadLetter) -> Version | None:
    if letter.reason != "unknown-version":
        return None
    try:
        event = decode_envelope(letter.value or b"")
    except InvalidEvent:
        return None
    return event.model, event.model_version
