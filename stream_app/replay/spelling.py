"""How durations, times, offsets and pairs are spelt on the command line. Pure. Everything raises ReplayError, one line
that names the option and shows what fits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from contracts.times import milliseconds
from stream_app.errors import ReplayError

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_OFFSETS = re.compile(r"(\d{1,9}):(\d{1,18})?-(\d{1,18})?")


class OffsetRange(msgspec.Struct, frozen=True):
    """Offsets of one partition, both ends included. first: None is the log's beginning; last: None is its end."""

    first: int | None
    last: int | None


def duration(option: str, text: str) -> float:
    """Seconds.

    >>> duration("--window", "15m"), duration("--lateness", "1.5s")
    (900.0, 1.5)
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ReplayError(f"{option} {text}: a duration is a number and a unit, such as 10s, 15m, 1h or 7d")
    return float(found[1]) * _SECONDS[found[2]]


def spelt(seconds: float) -> str:
    """As `duration` takes it, in the greatest unit that leaves a whole number.

    >>> spelt(21600), spelt(90), spelt(0), spelt(0.25)
    ('6h', '90s', '0s', '250ms')
    """
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if seconds % length == 0 and (seconds or unit == "s"):
            return f"{round(seconds / length)}{unit}"
    return f"{seconds * 1000:g}ms"


def moment(option: str, text: str) -> int:
    """Milliseconds UTC.

    >>> moment("--from", "1970-01-01T01:00:00+01:00")
    0
    """
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ReplayError(f"{option} {text}: not a time; write it as 2026-01-31T12:00:00Z") from None
    if time.tzinfo is None:
        raise ReplayError(f"{option} {text}: a time without a zone; append Z for UTC, or an offset such as +01:00")
    return milliseconds(time)


def offsets(option: str, text: str) -> dict[int, OffsetRange]:
    """Ranges by partition.

    >>> offsets("--offsets", "0:100-5000,1:0-")[0]
    OffsetRange(first=100, last=5000)
    """
    ranges: dict[int, OffsetRange] = {}
    for part in text.split(","):
        found = _OFFSETS.fullmatch(part.strip())
        if found is None:
            raise ReplayError(
                f"{option} {text}: {part.strip()!r} is not PARTITION:FIRST-LAST, such as 0:100-5000 or 1:0-"
            )
        number = int(found[1])
        first, last = (None if bound is None else int(bound) for bound in found.group(2, 3))
        if number in ranges:
            raise ReplayError(f"{option} {text}: partition {number} is there twice; give it one range")
        if first is not None and last is not None and last < first:
            raise ReplayError(f"{option} {text}: {part.strip()!r} ends before it begins; both ends are included")
        ranges[number] = OffsetRange(first, last)
    return ranges


def pairs(option: str, texts: Iterable[str], known: Sequence[str] = ()) -> dict[str, str]:
    """NAME=VALUE of each text; known: the names there are, all when empty.

    >>> pairs("--compare", ["preset=classic", "page-after=3"])
    {'preset': 'classic', 'page-after': '3'}
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise ReplayError(f"{option} {text}: write it as NAME=VALUE")
        if known and name not in known:
            raise ReplayError(f"{option} {text}: there is no {name!r}; there are {', '.join(known)}")
        if name in found:
            raise ReplayError(f"{option}: {name!r} is there twice; give it once")
        found[name] = value
    return found
