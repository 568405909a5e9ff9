"""Which offsets of each partition are read, from a range of times or of offsets and what the log holds. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from stream_app.errors import ReplayError
from stream_app.replay.spelling import OffsetRange


class Held(msgspec.Struct, frozen=True):
    """What the log of a partition holds: offsets from start to before end. since, before: the first offset at or after
    the time asked for, and that of its end; None: all of its records are older.
    """

    start: int
    end: int
    since: int | None = None
    before: int | None = None


class Span(msgspec.Struct, frozen=True):
    """Offsets to be read of one partition, from first to before end.

    begins: no record was ever before it. goes_on: the log holds more behind it, left out by its offset.
    """

    first: int
    end: int
    begins: bool
    goes_on: bool


def by_time(logs: Mapping[int, Held], *, since: bool, before: bool) -> dict[int, Span]:
    """The spans between two times. since, before: whether each of the times was given at all."""
    spans = {}
    for number, log in logs.items():
        first = log.start if not since else log.end if log.since is None else max(log.since, log.start)
        end = log.end if not before or log.before is None else max(log.before, log.start)
        spans[number] = Span(first, max(end, first), first == 0, False)
    return spans


def by_offset(logs: Mapping[int, Held], ranges: Mapping[int, OffsetRange]) -> dict[int, Span]:
    """The spans of the partitions named. Raises ReplayError when the log does not hold them."""
    spans = {}
    for number, wanted in sorted(ranges.items()):
        log = logs.get(number)
        if log is None:
            raise ReplayError(f"--offsets: there is no partition {number}; there are 0 to {max(logs)}")
        first = log.start if wanted.first is None else wanted.first
        end = log.end if wanted.last is None else wanted.last + 1
        if first < log.start:
            raise ReplayError(
                f"--offsets: partition {number} begins at offset {log.start}, what was before is deleted: "
                f"ask for {number}:{log.start}-{'' if wanted.last is None else max(wanted.last, log.start)}"
            )
        if log.start == log.end:
            raise ReplayError(f"--offsets: partition {number} holds no record; leave it out")
        if end > log.end or first >= log.end:
            raise ReplayError(
                f"--offsets: partition {number} ends at offset {log.end - 1}: ask for "
                f"{number}:{first if first < log.end else log.start}-"
            )
        spans[number] = Span(first, end, first == 0, end < log.end)
    return spans
