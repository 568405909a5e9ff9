"""One sentence for each cause, with its numbers."""

from __future__ import annotations

from contracts.baseline import DECISION, SCORE
from stream_app.drift.cause.candidate import Candidate
from stream_app.drift.cause.numbers import exact, number, percent, signed

_SUBJECTS = {SCORE: "the score", DECISION: "the decision"}
_ALL = 0.995
_SELDOM = 0.005


def subject(name: str) -> str:
    """What a sentence begins with.

    >>> subject("distance"), subject("prediction:score")
    ('distance', 'the score')
    """
    return _SUBJECTS.get(name, name)


def missing(name: str, before: float, now: float) -> str:
    """
    >>> missing("temp", 0.01, 0.31), missing("temp", 0.0, 1.0)
    ('temp: missing 1 % -> 31 %', 'temp: all rows are missing (0 % in the reference)')
    """
    if now == 1:
        return f"{subject(name)}: all rows are missing ({percent(before)} in the reference)"
    return f"{subject(name)}: missing {percent(before)} -> {percent(now)}"


def of(name: str, found: Candidate, before: float) -> str:
    """before: share of the reference's values in the bin of a spike.

    >>> unit = Candidate(kind="unit", gain=1, penalty=0, share=.331, factor=1.609344, unit="miles -> kilometres")
    >>> of("distance", unit, 0)
    'distance: 33 % of rows look multiplied by 1.61 (miles -> kilometres?)'
    >>> of("age", Candidate(kind="spike", gain=1, penalty=0, share=.1, value=0.0), 0)
    'age: 10 % of rows are 0'
    """
    return f"{subject(name)}: {_words(found, before)}"


def _words(found: Candidate, before: float) -> str:
    value, factor = found.value or 0.0, found.factor or 1.0
    rows = _rows(found.share)
    if found.kind == "spike":
        return _spike(found, before)
    if found.kind in ("unit", "ratio"):
        return _ratio(found)
    if found.kind == "shift":
        who = "shifted" if found.share >= _ALL else f"{rows} look shifted"
        return f"{who} by {signed(value)}"
    if found.kind == "spread":
        who = "" if found.share >= _ALL else f"{rows} look "
        how = "spread out" if factor > 1 else "drawn together"
        return f"{who}{how} about {number(value)}: values lie {number(factor)} times as far from it"
    if found.kind == "tail":
        side, beyond = ("upper", "above") if found.upper else ("lower", "below")
        how = "longer" if factor > 1 else "shorter"
        return (
            f"the {side} tail is {how}: values {beyond} {number(value)} lie {number(factor)} times as far {beyond} it"
        )
    beyond, limit = ("above", "at most") if found.upper else ("below", "at least")
    about = "" if found.exact else "about "
    return f"clipped: {limit} {about}{exact(value)} ({percent(found.share)} of the reference lies {beyond})"


def _rows(share: float) -> str:
    return "all rows" if share >= _ALL else f"{percent(share)} of rows"


def _spike(found: Candidate, before: float) -> str:
    value = found.value or 0.0
    text = exact(value) if found.exact else f"about {number(value)}"
    if before > _SELDOM and found.share < _ALL:
        now = before + found.share * (1 - before)
        return f"{percent(now)} of rows are {text} ({percent(before)} in the reference)"
    return f"{_rows(found.share)} are {text}"


def _ratio(found: Candidate) -> str:
    factor, words = found.factor or 1.0, f" ({found.unit}?)" if found.unit else ""
    rows = _rows(found.share)
    if factor == -1:
        return f"{rows} have the sign flipped"
    if found.unit and found.unit.split(" -> ")[0] in ("Fahrenheit", "Celsius", "Kelvin"):
        return f"{rows} look converted ({found.unit}?)"
    by = f"divided by {number(1 / factor)}" if factor < 1 and _round(1 / factor) else f"multiplied by {number(factor)}"
    return f"{rows} look {by}{words}"


def _round(value: float) -> bool:
    return abs(value - round(value)) < 1e-9 * value


def out_of_range(name: str, share: float, lowest: float, highest: float, furthest: tuple[float, float]) -> str:
    """furthest: the window's smallest and largest value.

    >>> out_of_range("temp", .31, 10.9, 60.1, (11.2, 93.0))
    'temp: 31 % of values are out of range, up to 93 (the reference: 10.9 to 60.1)'
    """
    low, high = furthest
    if low > highest or high < lowest:
        return f"{subject(name)}: all values are out of range{reach(furthest, lowest, highest)}"
    ends = [f"down to {number(low)}"] if low < lowest else []
    ends += [f"up to {number(high)}"] if high > highest else []
    reference = f"(the reference: {_range(lowest, highest)})"
    return f"{subject(name)}: {percent(share)} of values are out of range, {' and '.join(ends)} {reference}"


def reach(now: tuple[float, float], lowest: float, highest: float) -> str:
    """now: the window's smallest and largest value; lowest, highest: the reference's.

    >>> reach((60.9, 68.0), -9.94, 57.2)
    ': now 60.9 to 68 (the reference: -9.94 to 57.2)'
    """
    return f": now {_range(*now)} (the reference: {_range(lowest, highest)})"


def _range(low: float, high: float) -> str:
    return number(low) if low == high else f"{number(low)} to {number(high)}"


def reshaped(name: str, median_before: float, median: float, moved: float) -> str:
    """moved: the share of rows that would have to change for the reference's histogram to become the window's.

    >>> reshaped("humid", 61.2, 63.4, .174)
    'humid: reshaped, no simple cause explains it: 17 % of rows lie elsewhere, median 61.2 -> 63.4'
    >>> reshaped("visib", 10.0, 10.0, .31)
    'visib: reshaped, no simple cause explains it: 31 % of rows lie elsewhere'
    """
    was, now = number(median_before), number(median)
    medians = "" if was == now else f", median {was} -> {now}"
    return f"{subject(name)}: reshaped, no simple cause explains it: {percent(moved)} of rows lie elsewhere{medians}"
