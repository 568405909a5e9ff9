"""Drift to inject into rows: input faults of known kind, size and share, as pure functions over a DataFrame.

Only the features are touched, never the label: the world is as it was, its description arrives broken.
As text (`python -m demo load --drift`): `kind:features[:size[:share]]`, features joined by `+`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Hit = npt.NDArray[np.bool_]
NEW_LEVEL = "never-seen-before"


class InvalidDrift(ValueError):
    """A drift that cannot be injected; the text names what is wrong."""


@dataclass(frozen=True)
class DriftKind:
    """A way for a feature to go wrong. apply(column, hit, size) returns the new column; hit: rows, shape (n,)."""

    name: str
    meaning: str
    default_size: float
    numeric: bool
    apply: Callable[[pd.Series, Hit, float], pd.Series]


def _unit(column: pd.Series, hit: Hit, size: float) -> pd.Series:
    return column.where(~hit, column * size)


def _fill(column: pd.Series, hit: Hit, size: float) -> pd.Series:
    return column.where(~hit, size)


def _shift(column: pd.Series, hit: Hit, size: float) -> pd.Series:
    return column.where(~hit, column + size * float(column.std()))


def _missing(column: pd.Series, hit: Hit, size: float) -> pd.Series:
    return column.mask(hit)


def _level(column: pd.Series, hit: Hit, size: float) -> pd.Series:
    return column.where(~hit, NEW_LEVEL)


KINDS: tuple[DriftKind, ...] = (
    DriftKind("unit", "values times SIZE, as when miles arrive as kilometres", 1.609344, True, _unit),
    DriftKind("fill", "values replaced by SIZE, as when a default stands for a failed look-up", 0.0, True, _fill),
    DriftKind("shift", "values moved by SIZE standard deviations of the rows given", 0.5, True, _shift),
    DriftKind("missing", "values lost (SIZE is not used)", 0.0, False, _missing),
    DriftKind("level", "values replaced by a level that was never seen (SIZE is not used)", 0.0, False, _level),
)


@dataclass(frozen=True)
class Drift:
    """One fault. The same `share` (0 to 1) of rows is hit in every one of `features`; size None: the kind's default."""

    kind: str
    features: tuple[str, ...]
    size: float | None = None
    share: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in {kind.name for kind in KINDS}:
            raise InvalidDrift(f"no drift {self.kind!r}: choose one of {', '.join(kind.name for kind in KINDS)}")
        if not self.features:
            raise InvalidDrift(f"drift {self.kind!r} names no feature: add one, as in {self.kind}:distance")
        if self.size is not None and not math.isfinite(self.size):
            raise InvalidDrift(f"drift {self.kind!r}: size {self.size} is no finite number")
        if not 0 < self.share <= 1:
            raise InvalidDrift(f"drift {self.kind!r}: share {self.share} is not above 0 and at most 1")

    @classmethod
    def parse(cls, text: str) -> Drift:
        """Read `kind:features[:size[:share]]`. Raises InvalidDrift.

        >>> Drift.parse("unit:distance:1.609344:0.33")
        Drift(kind='unit', features=('distance',), size=1.609344, share=0.33)
        >>> Drift.parse("missing:temp+dewp::0.5")
        Drift(kind='missing', features=('temp', 'dewp'), size=None, share=0.5)
        """
        kind, features, size, share, *more = [*text.split(":"), "", "", ""][: max(4, text.count(":") + 1)]
        if more:
            raise InvalidDrift(f"drift {text!r} has too many parts: write kind:features[:size[:share]]")
        try:
            numbers = float(size) if size else None, float(share) if share else 1.0
        except ValueError as error:
            raise InvalidDrift(f"drift {text!r}: size and share must be numbers") from error
        return cls(kind, tuple(name for name in features.split("+") if name), *numbers)


def inject(frame: pd.DataFrame, drift: Drift, seed: int) -> pd.DataFrame:
    """A copy of `frame` with the fault in it; its rows are drawn by `seed`. Raises InvalidDrift."""
    kind = next(kind for kind in KINDS if kind.name == drift.kind)
    hit = np.random.default_rng(seed).random(len(frame)) < drift.share
    size = kind.default_size if drift.size is None else drift.size
    changed = {}
    for feature in drift.features:
        if feature not in frame:
            raise InvalidDrift(f"drift {drift.kind!r}: no feature {feature!r} in these rows")
        column = frame[feature]
        is_boolean = pd.api.types.is_bool_dtype(column)
        is_number = pd.api.types.is_numeric_dtype(column) and not is_boolean
        if kind.numeric and not is_number:
            raise InvalidDrift(f"drift {drift.kind!r} needs a number, and {feature!r} is not one: use missing or level")
        if drift.kind == "level" and (is_number or is_boolean):
            raise InvalidDrift(f"drift 'level' needs a categorical feature, and {feature!r} is none")
        if is_number:
            column = column.astype(np.float64)  # a whole number times 1.6 is none, and cannot be missing
        changed[feature] = kind.apply(column.astype(object) if is_boolean else column, hit, size)
    return frame.assign(**changed)
