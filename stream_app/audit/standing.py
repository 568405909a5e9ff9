"""Standing: of what several readings found, what is a difference, and what is on its way. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from stream_app.audit.difference import Difference, Kind

_MOVING: frozenset[Kind] = frozenset({"ahead", "rows"})
"""Kinds that a worker which writes, or a stage 2 that lags, may feign. Each reading then finds another one."""


def standing(readings: Sequence[Sequence[Difference]]) -> tuple[tuple[Difference, ...], tuple[str, ...]]:
    """The last reading's differences that stand, and notes of those that the former ones do not have as they are."""
    *former, last = readings
    places = [{_place(difference) for difference in reading} for reading in former]
    moves = [
        difference
        for difference in last
        if difference.kind in _MOVING and not all(_place(difference) in reading for reading in places)
    ]
    return (
        tuple(difference for difference in last if difference not in moves),
        tuple(f"{difference}. A moment before it was not so: it may be on its way; look again" for difference in moves),
    )


def _place(difference: Difference) -> Difference:
    return replace(difference, words="")
