"""Standing: of what several readings found, what is a difference, and what is on its way. Pure.

A worker that writes, and a stage 2 that lags, may feign `ahead` and `rows`; a fault that goes on under traffic shows
another number in each reading, too. So what counts is the place and the direction, not the number: what is there in
every reading is a difference, of the least number; what one of them does not have is a note.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from stream_app.audit.difference import Difference, Kind

_MOVING: frozenset[Kind] = frozenset({"ahead", "rows"})
"""Kinds that may be feigned. No other is: one reading is enough."""


def standing(readings: Sequence[Sequence[Difference]]) -> tuple[tuple[Difference, ...], tuple[str, ...]]:
    """The last reading's differences that stand, and notes of those that a former one does not have."""
    *former, last = readings
    stand: list[Difference] = []
    notes: list[str] = []
    for difference in last:
        before = [_alike(difference, reading) for reading in former] if difference.kind in _MOVING else []
        if all(before):
            stand.append(_least([*(alike[0] for alike in before), difference]))
        else:
            notes.append(f"{difference}. A moment before it was not so: it may be on its way; look again")
    return tuple(stand), tuple(notes)


def _alike(wanted: Difference, reading: Sequence[Difference]) -> list[Difference]:
    return [difference for difference in reading if _place(difference) == _place(wanted)]


def _place(difference: Difference) -> tuple[object, ...]:
    # first_offset: of what is ahead it is the position's; when that has gone on, the former one was mended.
    place = difference.kind, difference.model, difference.version, difference.partition, difference.first_offset
    return *place, difference.too_many


def _least(found: Sequence[Difference]) -> Difference:
    """Of one place, by reading: the last one, or where the number moves the least one, with all numbers in words."""
    numbers = [difference.rows or 0 for difference in found]
    if len(set(numbers)) == 1:
        return found[-1]
    least = found[numbers.index(min(numbers))]
    lag = "" if least.too_many else "; a stage 2 that lags looks so, too: see `status`"
    words = f"{least}. By reading: {', '.join(map(str, numbers))}; this is the least{lag}, and ask again"
    return replace(least, words=words)
