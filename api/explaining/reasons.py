"""Reasons: the largest contributions as sentences, honest about values that the reference has nothing of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from contracts.baseline import Reference
from contracts.binning import Bins, Levels
from contracts.encoder import Value

_LONGEST = 60


class Part(NamedTuple):
    """What one feature adds. error: standard error, 0 where the contribution is exact. reference: None where the
    feature is not monitored.
    """

    feature: str
    value: Value
    contribution: float
    error: float = 0.0
    reference: Reference | None = None


def reasons(parts: Sequence[Part], top: int, unit: str) -> tuple[str, ...]:
    """At most `top` sentences. parts: largest contribution first. unit: behind the number, such as " log-odds".

    >>> reasons([Part("amount", 912.3, 1.21), Part("age", None, -0.5), Part("shop", "x", 0.0)], 3, " log-odds")
    ('amount = 912.3 raises the score (+1.21 log-odds), more than any other feature.', \
'age is missing, which lowers the score (-0.5 log-odds).')
    """
    telling = [part for part in parts[:top] if part.contribution]
    if not telling:
        return ("No feature moves the score away from the base value.",)
    return tuple(_sentence(part, unit, first=i == 0 and len(parts) > 1) for i, part in enumerate(telling))


def _sentence(part: Part, unit: str, *, first: bool) -> str:
    way = "raises" if part.contribution > 0 else "lowers"
    amount = f"{part.contribution:+.3g}"
    if part.error:
        amount += f" ± {part.error:.1g}"
    said = f"{_subject(part)} {way} the score ({amount}{unit})"
    if abs(part.contribution) < 2 * part.error:
        said += ", which may be chance of the sampling"
    elif first:
        said += ", more than any other feature"
    return said + "."


def _subject(part: Part) -> str:
    if part.value is None:
        return f"{part.feature} is missing, which"
    said = f"{part.feature} = {_shown(part.value)}"
    bins = part.reference.bins if part.reference is not None else None
    if isinstance(bins, Levels) and isinstance(part.value, str) and part.value not in (*bins.levels, *bins.rest):
        return said + ", a level that is not in the reference,"
    if isinstance(bins, Bins) and not bins.lowest <= float(part.value) <= bins.highest:
        return said + f", outside the reference's range ({bins.lowest:.6g} to {bins.highest:.6g}),"
    return said


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= _LONGEST else f'"{value[: _LONGEST - 1]}…"'
    return f"{value:.6g}"
