"""Span: a stretch of event time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from training.errors import DataError


class Span(msgspec.Struct, frozen=True, order=True):
    """The end is not included; None: it goes on."""

    start: datetime
    end: datetime | None


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same stretches, rising, and no two that touch.

    >>> day = [datetime.fromisoformat(f"2026-01-0{number}T00:00:00Z") for number in range(1, 8)]
    >>> [one.start.day for one in merged([Span(day[5], None), Span(day[1], day[2]), Span(day[0], day[1])])]
    [1, 6]
    """
    found: list[Span] = []
    for span in sorted(spans, key=lambda one: one.start):
        last = found[-1] if found else None
        if last is None or (last.end is not None and last.end < span.start):
            found.append(span)
        else:
            end = None if last.end is None or span.end is None else max(last.end, span.end)
            found[-1] = Span(last.start, end)
    return tuple(found)


def spans(words: Sequence[str]) -> tuple[Span, ...]:
    """`START/END` in ISO 8601, each with a zone. Raises DataError.

    >>> spans(["2026-01-01T00:00:00Z/2026-01-02T00:00:00Z"])[0].end.day
    2
    """
    return tuple(_span(word) for word in words)


def span_text(span: Span) -> str:
    """As `spans` reads it; a stretch without an end ends in a slash.

    >>> span_text(Span(datetime.fromisoformat("2026-01-01T00:00:00Z"), None))
    '2026-01-01T00:00:00+00:00/'
    """
    return f"{span.start.isoformat()}/{'' if span.end is None else span.end.isoformat()}"


def moment_of(word: str) -> datetime:
    """A moment in ISO 8601 with a zone. Raises DataError."""
    try:
        moment = datetime.fromisoformat(word)
    except ValueError as error:
        raise DataError(f"{word!r} is not a time: write it as 2026-01-31T12:00:00Z") from error
    if moment.tzinfo is None:
        raise DataError(f"{word!r} has no zone: write it as 2026-01-31T12:00:00Z")
    return moment


def _span(word: str) -> Span:
    start, _, end = word.partition("/")
    try:
        return Span(moment_of(start), moment_of(end))
    except DataError as error:
        raise DataError(f"{word!r} is no stretch of time: write 2026-01-01T00:00:00Z/2026-01-02T00:00:00Z") from error
