"""Every kind of drift that is injected, as a pure function of a column and a generator, with the truth about it.

A drift is made for one feature from a sample of its reference, so that sizes are in the feature's own standard
deviations and levels are its own. What it returns is a new column; the one given stays as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.detection.features import Column, Numbers, Rng, Texts
from contracts.findings import CauseKind


@dataclass(frozen=True)
class Truth:
    """What was done, in the words of `contracts.findings.Cause`: its fields of the same names.

    kind: None where nothing is to be named (a single value, no change).
    """

    kind: CauseKind | None
    share: float = 1.0
    value: float | str | None = None
    to: str | None = None
    factor: float | None = None


@dataclass(frozen=True)
class Drift:
    """name: unique among the drifts of one feature. apply: the drifted column of the same length."""

    name: str
    truth: Truth
    apply: Callable[[Column, Rng], Column]


UNIT_FACTORS = (1.609, 100.0, 0.01)
FILLS = (0.0, -1.0)
SHARES = (0.1, 0.33, 1.0)
NEW_LEVEL = "level-never-seen"


def numeric_drifts(sample: Numbers) -> tuple[Drift, ...]:
    """Every kind for a numeric feature. sample: of its reference; shape (any,)."""
    median = float(np.nanmedian(sample))
    return (
        *(scaled(factor, share) for factor in UNIT_FACTORS for share in SHARES),
        *(filled(value, share) for value in (*FILLS, median) for share in SHARES),
        *(shifted(sample, size) for size in (0.2, 0.3, 0.5, 1.0, -0.5)),
        *(stretched(sample, factor) for factor in (1.5, 0.6)),
        *(longer_tail(sample, share) for share in (0.2, 0.4)),
        *(clipped(sample, quantile) for quantile in (0.9, 0.7)),
        *(missing(share) for share in SHARES),
        celsius(1.0),
        celsius(0.33),
    )


def level_drifts(sample: Texts) -> tuple[Drift, ...]:
    """Every kind for a categorical feature. sample: of its reference; shape (any,)."""
    ranked = ranking(sample)
    return (
        *(new_level(share) for share in (0.01, 0.05, 0.2)),
        *(vanished_level(level, ranked[0]) for level in ranked[1:3]),
        *(grown_level(level, share) for level in ranked[:2] for share in (0.1, 0.3)),
        *(renamed_level(level) for level in ranked[:2]),
        *(missing(share) for share in SHARES),
    )


def harmless_accidents(numeric: bool) -> tuple[Drift, ...]:
    """One value in a window that must not alarm."""
    return (one_value(1e9, "one outlier of 1e9"), one_missing()) if numeric else (one_unseen(), one_missing())


def shifted(sample: Numbers, size: float) -> Drift:
    """Every value by `size` standard deviations of the reference."""
    by = size * float(np.nanstd(sample))
    return Drift(f"shift {size:+g} sd", Truth("shift", value=by), lambda column, rng: _numbers(column) + by)


def scaled(factor: float, share: float) -> Drift:
    """A change of unit in a random share of the rows."""
    truth = Truth("unit", share, factor=factor)
    return Drift(f"x{factor:g} on {share:.0%}", truth, _some(share, lambda values: values * factor))


def celsius(share: float) -> Drift:
    """Degrees Fahrenheit to Celsius in a random share of the rows. The slope is the factor."""
    truth = Truth("unit", share, factor=5 / 9)
    return Drift(f"F -> C on {share:.0%}", truth, _some(share, lambda values: (values - 32) * 5 / 9))


def filled(value: float, share: float, name: str = "") -> Drift:
    """A default instead of the value in a random share of the rows, missing ones too."""
    truth = Truth("spike", share, value=value)
    return Drift(name or f"= {value:g} on {share:.0%}", truth, _some(share, lambda values: np.full_like(values, value)))


def stretched(sample: Numbers, factor: float) -> Drift:
    """Spread about the median."""
    median = float(np.nanmedian(sample))
    truth = Truth("spread", factor=factor)
    return Drift(f"spread x{factor:g}", truth, lambda column, rng: median + factor * (_numbers(column) - median))


def longer_tail(sample: Numbers, share: float) -> Drift:
    """The rows above the reference's (1 - share) quantile lie twice as far above it."""
    start = float(np.nanquantile(sample, 1 - share))

    def apply(column: Column, rng: Rng) -> Column:
        values = _numbers(column)
        return np.where(values > start, start + 2 * (values - start), values)

    return Drift(f"tail x2 above the {1 - share:.0%} quantile", Truth("tail", share, factor=2.0), apply)


def clipped(sample: Numbers, quantile: float) -> Drift:
    """Nothing above a limit any more."""
    limit = float(np.nanquantile(sample, quantile))
    truth = Truth("clip", 1 - quantile, value=limit)
    return Drift(f"clip at the {quantile:.0%} quantile", truth, lambda column, rng: np.minimum(_numbers(column), limit))


def missing(share: float) -> Drift:
    """No value in a random share of the rows (1: the column is empty)."""

    def apply(column: Column, rng: Rng) -> Column:
        drifted = column.copy()
        drifted[_chosen(rng, len(column), share)] = None if drifted.dtype == object else np.nan
        return drifted

    return Drift(f"missing {share:.0%}", Truth("missing", share), apply)


def new_level(share: float) -> Drift:
    """A level that the reference never had, in a random share of the rows."""
    return Drift(f"new level {share:.0%}", Truth("new_level", share, value=NEW_LEVEL), _set_level(NEW_LEVEL, share))


def grown_level(level: str | bool, share: float) -> Drift:
    """A known level takes over a random share of the rows."""
    truth = Truth("grown_level", share, value=_text(level))
    return Drift(f"{_text(level)} takes {share:.0%}", truth, _set_level(level, share))


def vanished_level(level: str | bool, instead: str | bool) -> Drift:
    """Rows of one level come as another known one."""
    return Drift(f"no {_text(level)}", Truth("vanished_level", value=_text(level)), _relabelled(level, instead))


def renamed_level(level: str | bool) -> Drift:
    """A level comes under a name that the reference never had."""
    truth = Truth("renamed", value=_text(level), to=NEW_LEVEL)
    return Drift(f"{_text(level)} renamed", truth, _relabelled(level, NEW_LEVEL))


def one_value(value: float, name: str) -> Drift:
    """One single row: the first that has a value."""
    return Drift(name, Truth(None, 0.0, value=value), _first(value))


def one_missing() -> Drift:
    """One single row without a value."""
    return Drift("one missing value", Truth(None, 0.0), _first(None))


def one_unseen() -> Drift:
    """One single row of a level that the reference never had."""
    return Drift("one unseen level", Truth(None, 0.0, value=NEW_LEVEL), _first(NEW_LEVEL))


def ranking(sample: Texts) -> list[str | bool]:
    """Levels of a sample, the most frequent first, ties by name."""
    counted = Counter(value for value in sample if value is not None)
    return sorted(counted, key=lambda level: (-counted[level], str(level)))


def _numbers(column: Column) -> Numbers:
    return np.array(column, dtype=np.float64)


def _text(level: str | bool) -> str:
    return str(level).lower() if isinstance(level, bool) else level


def _chosen(rng: Rng, rows: int, share: float) -> np.ndarray:
    return rng.random(rows) < share


def _some(share: float, change: Callable[[Numbers], Numbers]) -> Callable[[Column, Rng], Column]:
    def apply(column: Column, rng: Rng) -> Column:
        values = _numbers(column)
        return np.where(_chosen(rng, values.size, share), change(values), values)

    return apply


def _set_level(level: str | bool, share: float) -> Callable[[Column, Rng], Column]:
    def apply(column: Column, rng: Rng) -> Column:
        drifted = column.copy()
        drifted[_chosen(rng, len(column), share)] = level
        return drifted

    return apply


def _relabelled(level: str | bool, to: str | bool) -> Callable[[Column, Rng], Column]:
    def apply(column: Column, rng: Rng) -> Column:
        drifted = column.copy()
        drifted[[value == level for value in column]] = to
        return drifted

    return apply


def _first(value: float | str | None) -> Callable[[Column, Rng], Column]:
    def apply(column: Column, rng: Rng) -> Column:
        drifted = column.copy()
        known = [other is not None for other in column] if drifted.dtype == object else ~np.isnan(column)
        drifted[int(np.argmax(known))] = np.nan if value is None and drifted.dtype != object else value
        return drifted

    return apply
