"""Refusals: which records were refused, in how many ways, and the first of each. Pure.

Two words on the same column that differ in a value or a number only are one way.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from contracts.dead_letters import DeadLetter
from stream_app.replay.lines import RefusedLine

Place = Literal["offset", "line", "row"]
"""What a record is named by: its partition and offset, or the number that its words begin with, from 1."""
_WAYS = 12
"""Told apart; further ones are in the JSON Lines."""
_ALIKE = re.compile(r"""^(?:row|line) \d+: |'[^']*'|"[^"]*"|-?\d[\d.:+TZ-]*""")
_NOTES = {"row": " (rows count from 1, the header does not)", "line": " (lines count from 1)", "offset": ""}


class _Way(msgspec.Struct):
    first: DeadLetter
    records: int = 0


class Refusals:
    """All refused so far. place: by what they are named."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._ways: dict[tuple[str, str], _Way] = {}
        self._others = 0

    def add(self, letter: DeadLetter) -> RefusedLine:
        """One record, without the record itself: it is where it was read."""
        key = letter.reason, _ALIKE.sub("", letter.detail)
        if key in self._ways or len(self._ways) < _WAYS:
            self._ways.setdefault(key, _Way(letter)).records += 1
        else:
            self._others += 1
        if self._place == "offset":
            return RefusedLine(letter.reason, letter.detail, partition=letter.partition, offset=letter.offset)
        return RefusedLine(letter.reason, letter.detail, **{self._place: letter.offset + 1})

    def text(self) -> list[str]:
        """How often each way, and its first record."""
        lines = []
        for (reason, _), way in sorted(self._ways.items(), key=lambda item: (item[0][0], -item[1].records)):
            where = f"{way.first.id}: " if self._place == "offset" else ""
            lines.append(f"refused  {way.records:,} {reason}, first {where}{way.first.detail}")
        if lines:
            lines[0] += _NOTES[self._place]
        if self._others:
            lines.append(f"refused  {self._others:,} in other words: see the lines of type refused")
        return lines
