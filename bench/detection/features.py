"""Twenty mixed features whose distributions are known exactly: what windows and references are drawn from.

Known exactly means that a quiet window's counts over given bins can be drawn in two ways with the same distribution:
row by row and counted, or at once as multinomial counts of the true masses of the bins (windows.py does the latter).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from contracts.binning import Bins, Levels
from contracts.schema import Feature, FeatureSchema

Numbers = npt.NDArray[np.float64]
Texts = npt.NDArray[np.object_]
Column = npt.NDArray[Any]
"""Shape (rows,): Numbers, of which NaN is missing, or Texts: str, or bool for booleans, of which None is missing."""
Rng = np.random.Generator


@dataclass(frozen=True)
class NumericFeature:
    """draw: `rows` values. below: P(X < x) of the known values. missing: share of the rows without a value.

    tied: whether single values hold mass, so that any shift by less than their distance is easy to see.
    """

    name: str
    draw: Callable[[Rng, int], Numbers]
    below: Callable[[Numbers], Numbers]
    missing: float = 0.0
    tied: bool = False

    kind = "numeric"

    def column(self, rng: Rng, rows: int) -> Numbers:
        """Values as a window or a reference takes them."""
        values = self.draw(rng, rows)
        if self.missing:
            values[rng.random(rows) < self.missing] = np.nan
        return values

    def masses(self, bins: Bins) -> Numbers:
        """True share of the known values in each bin, shape (bins.size,)."""
        below = np.concatenate(([0.0], self.below(bins.edge_array), [1.0]))
        return np.maximum(np.diff(below), 0.0)  # of two nearly equal numbers the difference may be -1e-17


@dataclass(frozen=True)
class LevelFeature:
    """A categorical or boolean feature. shares: of the levels, they add up to 1."""

    name: str
    kind: str
    levels: tuple[str | bool, ...]
    shares: tuple[float, ...]
    missing: float = 0.0

    def column(self, rng: Rng, rows: int) -> Texts:
        """Values as a window or a reference takes them."""
        values = np.array(self.levels, dtype=object)[rng.choice(len(self.levels), size=rows, p=self.shares)]
        if self.missing:
            values[rng.random(rows) < self.missing] = None
        return values

    def masses(self, levels: Levels) -> Numbers:
        """True share of the known values in each bin, shape (levels.size,)."""
        masses = np.zeros(levels.size)
        for level, share in zip(self.levels, self.shares, strict=True):
            counts, _ = levels.count([level])
            masses[int(counts.argmax())] += share
        return masses


Mixed = NumericFeature | LevelFeature


Law = tuple[Callable[[Rng, int], Numbers], Callable[[Numbers], Numbers]]
"""How to draw from a distribution, and its P(X < x)."""


def _normal(mean: float, sd: float) -> Law:
    return lambda rng, rows: rng.normal(mean, sd, rows), lambda x: special.ndtr((x - mean) / sd)


def _lognormal(mean: float, sd: float) -> Law:
    def below(x: Numbers) -> Numbers:
        return np.where(x > 0, special.ndtr((np.log(np.maximum(x, 1e-300)) - mean) / sd), 0.0)

    return lambda rng, rows: rng.lognormal(mean, sd, rows), below


def _gamma(shape: float, scale: float) -> Law:
    def below(x: Numbers) -> Numbers:
        return np.asarray(special.gammainc(shape, np.maximum(x, 0.0) / scale), dtype=np.float64)

    return lambda rng, rows: rng.gamma(shape, scale, rows), below


def _beta(a: float, b: float) -> Law:
    return lambda rng, rows: rng.beta(a, b, rows), lambda x: special.betainc(a, b, np.clip(x, 0.0, 1.0))


def _poisson(mean: float) -> Law:
    def below(x: Numbers) -> Numbers:
        last = np.ceil(x) - 1  # the largest count below x
        return np.where(last >= 0, special.pdtr(np.maximum(last, 0), mean), 0.0)

    return lambda rng, rows: rng.poisson(mean, rows).astype(np.float64), below


def _negative_binomial(successes: int, p: float) -> Law:
    def below(x: Numbers) -> Numbers:
        last = np.clip(np.ceil(x) - 1, -1, 1e9)
        return np.where(last >= 0, special.betainc(successes, np.maximum(last, 0) + 1, p), 0.0)

    return lambda rng, rows: rng.negative_binomial(successes, p, rows).astype(np.float64), below


def _student_t(freedom: float) -> Law:
    def below(x: Numbers) -> Numbers:
        return np.asarray(special.stdtr(freedom, x), dtype=np.float64)

    return lambda rng, rows: rng.standard_t(freedom, rows), below


def _zero_inflated(zeros: float) -> Law:
    gamma, gamma_below = _gamma(2.0, 30.0)

    def draw(rng: Rng, rows: int) -> Numbers:
        return np.where(rng.random(rows) < zeros, 0.0, gamma(rng, rows))

    return draw, lambda x: np.where(x > 0, zeros + (1 - zeros) * gamma_below(x), 0.0)


def _bimodal() -> Law:
    def draw(rng: Rng, rows: int) -> Numbers:
        return np.where(rng.random(rows) < 0.6, rng.normal(8, 1, rows), rng.normal(17, 1.5, rows))

    return draw, lambda x: 0.6 * special.ndtr(x - 8) + 0.4 * special.ndtr((x - 17) / 1.5)


def _rounded(mean: float, sd: float, step: float) -> Law:
    """A normal value rounded to the step: a reading of an instrument."""

    def below(x: Numbers) -> Numbers:
        last = np.ceil(x / step) - 1  # the largest reading below x, in steps
        return np.asarray(special.ndtr(((last + 0.5) * step - mean) / sd), dtype=np.float64)

    return lambda rng, rows: np.round(rng.normal(mean, sd, rows) / step) * step + 0.0, below


def _constant(value: float) -> Law:
    return lambda rng, rows: np.full(rows, value), lambda x: (x > value).astype(np.float64)


def _zipf(levels: int) -> tuple[float, ...]:
    weights = 1 / np.arange(1, levels + 1)
    return tuple((weights / weights.sum()).tolist())


def _named(prefix: str, levels: int) -> tuple[str, ...]:
    return tuple(f"{prefix}{i:03}" for i in range(levels))


FEATURES: tuple[Mixed, ...] = (
    NumericFeature("normal", *_normal(0, 1)),
    NumericFeature("fahrenheit", *_normal(60, 15)),
    NumericFeature("lognormal", *_lognormal(3, 1)),
    NumericFeature("student_t", *_student_t(3)),
    NumericFeature("zero_inflated", *_zero_inflated(0.7), tied=True),
    NumericFeature("count", *_poisson(3), tied=True),
    NumericFeature("large_count", *_negative_binomial(5, 0.04), tied=True),
    NumericFeature("bounded", *_beta(2, 5)),
    NumericFeature("uniform", *_beta(1, 1)),
    NumericFeature("bimodal", *_bimodal()),
    NumericFeature("constant", *_constant(7.0), tied=True),
    NumericFeature("missing_1", *_gamma(4, 25), missing=0.01),
    NumericFeature("missing_40", *_lognormal(1, 0.5), missing=0.40),
    NumericFeature("miles", *_gamma(2.5, 400)),
    NumericFeature("exponential", *_gamma(1, 10)),
    NumericFeature("reading", *_normal(1013, 8)),
    NumericFeature("rounded", *_rounded(20, 5, 0.5), tied=True),
    LevelFeature("flag", "boolean", (False, True), (0.8, 0.2)),
    LevelFeature("few_levels", "categorical", _named("k", 5), (0.4, 0.3, 0.15, 0.1, 0.05), missing=0.01),
    LevelFeature("many_levels", "categorical", _named("z", 500), _zipf(500)),
)
"""17 numeric and 3 categorical; `normal` and `fahrenheit` (and `reading`) are plain normal ones."""

SCORE = NumericFeature("score", *_beta(2, 5))
"""What a made-up model says of the rows; independent of the features."""
THRESHOLD = 0.5

SCHEMA = FeatureSchema(tuple(Feature(feature.name, feature.kind) for feature in FEATURES))  # type: ignore[arg-type]


def columns(rng: Rng, rows: int) -> tuple[Column, ...]:
    """Rows of all features, one column each in the order of `SCHEMA`, as `WindowCounts.add_columns` takes them."""
    return tuple(feature.column(rng, rows) for feature in FEATURES)


def named(name: str) -> Mixed:
    """The feature of this name. Raises KeyError."""
    return {feature.name: feature for feature in FEATURES}[name]
