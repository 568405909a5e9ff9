"""Difference: one thing that does not balance, in words and with its place. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from contracts.times import UtcTime, moment
from stream_app.windowing.typed import Version

Kind = Literal["answered", "offsets", "records", "dead-letters", "reports", "rows", "window", "ahead"]
"""What does not balance.

answered: an answered prediction is not on the topic. offsets: of a source partition were not read, or are not on its
log. records: that were read are in no column, or other records are on the log than were read. dead-letters: a record
was refused and is not there. reports: closed windows and reports on the topic differ. rows: of a model version are
missing or there twice. window: its report, or what waits for it, has other rows than `predictions`. ahead: the stored
window of a worker that died between two writes; the next batch mends it.
"""


class Difference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """words: a sentence that names the place. The other fields are the place for programs, as far as it is known.

    first_offset, last_offset: of the source partition; what is meant lies between them. rows: by how many.
    too_many: of kind rows: they are there twice, not missing.
    """

    kind: Kind
    words: str
    model: str | None = None
    version: str | None = None
    partition: int | None = None
    first_offset: int | None = None
    last_offset: int | None = None
    window_start: UtcTime | None = None
    rows: int | None = None
    too_many: bool = False

    def __str__(self) -> str:
        return self.words


def named(version: Version, start: int | None = None) -> str:
    """A model version, or one of its windows, in words."""
    name = "/".join(version)
    return name if start is None else f"{name}, window {moment(start).isoformat()}"


def ranges(offsets: Iterable[int], most: int = 5) -> str:
    """Offsets in words, neighbours together.

    >>> ranges([7, 3, 4, 5])
    '3 to 5, 7'
    """
    runs: list[list[int]] = []
    for offset in sorted(offsets):
        if runs and offset == runs[-1][1] + 1:
            runs[-1][1] = offset
        else:
            runs.append([offset, offset])
    words = [str(first) if first == last else f"{first} to {last}" for first, last in runs[:most]]
    return ", ".join(words) + (f" and {len(runs) - most} more" if len(runs) > most else "")
