"""Power: one of the twenty features drifts, the others do not; how often does that feature alarm in that window?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bench.detection.drifts import Drift, filled, missing, new_level, scaled, shifted
from bench.detection.features import FEATURES, Column, NumericFeature, named
from bench.detection.reference import SAMPLE_ROWS, Drawn
from bench.detection.share import Share, total
from bench.detection.tools import ColumnTool
from bench.detection.windows import Windows
from stream_app.drift.rule import CALIBRATED, CLASSIC

SPREAD = tuple(
    feature.name for feature in FEATURES if isinstance(feature, NumericFeature) and feature.name != "constant"
)
"""Numeric features that vary: a constant one has no standard deviation to shift by."""
CONTINUOUS = tuple(name for name in SPREAD if not named(name).tied)  # type: ignore[union-attr]
NORMAL = ("normal", "fahrenheit", "reading")
_ORDINARY_ZERO = "zero_inflated"
"""Zero in 70 % of its rows anyway: filling a tenth with 0 changes 3 % of them."""


@dataclass(frozen=True)
class Case:
    """key: the field of the figures, if there is one of that name. drift: made from a sample of the reference.
    features: each drifts alone, in windows of its own.

    goal: what the share of windows found should reach, None where the case is there to show a limit.
    """

    key: str
    title: str
    rows: int
    features: tuple[str, ...]
    drift: Callable[[Column], Drift]
    goal: float | None = None


@dataclass(frozen=True)
class Found:
    """What one tool found of a case, by feature."""

    tool: str
    by_feature: dict[str, Share]

    def mean(self, features: Sequence[str] | None = None) -> float:
        """Mean over the features (all of the case, or these)."""
        return float(
            np.mean([share.rate for name, share in self.by_feature.items() if not features or name in features])
        )

    @property
    def together(self) -> Share:
        """All windows of all features."""
        return total(self.by_feature.values())


def _shift(size: float) -> Callable[[Column], Drift]:
    return lambda sample: shifted(np.asarray(sample, dtype=np.float64), size)


CASES: tuple[Case, ...] = (
    Case("power_shift_small_n1000", "+.2 sd, n = 1,000", 1_000, SPREAD, _shift(0.2), 0.95),
    Case("power_shift_n10000", "+.3 sd, n = 10,000", 10_000, SPREAD, _shift(0.3), 1.0),
    Case("power_unit_bug_n9600", "10 % of rows x100, n = 9,600", 9_600, SPREAD, lambda _: scaled(100, 0.1), 1.0),
    Case(
        "power_default_fill_n9600",
        "10 % of rows = 0, n = 9,600",
        9_600,
        tuple(name for name in SPREAD if name != _ORDINARY_ZERO),
        lambda _: filled(0, 0.1),
        1.0,
    ),
    Case("ordinary_zero", "the same where 70 % are 0", 9_600, (_ORDINARY_ZERO,), lambda _: filled(0, 0.1)),
    Case("power_ratio_n1000", "33 % of rows x1.609, n = 1,000", 1_000, ("miles",), lambda _: scaled(1.609, 0.33), 0.99),
    Case("ratio_elsewhere", "the same, other features", 1_000, CONTINUOUS, lambda _: scaled(1.609, 0.33)),
    Case(
        "power_missing_n2000",
        "missing 1 % -> 3 %, n = 2,000",
        2_000,
        ("missing_1", "few_levels"),
        lambda _: missing(0.02 / 0.99),
        0.95,
    ),
    Case(
        "power_new_level_n2000",
        "new level at 1 %, n = 2,000",
        2_000,
        ("few_levels", "many_levels"),
        lambda _: new_level(0.01),
        0.95,
    ),
)


class Trial(NamedTuple):
    """What is compared with one reference, and by whom."""

    reference: Drawn
    windows: Windows
    tools: Sequence[ColumnTool] = ()


def trial(reference: Drawn, tools: Sequence[ColumnTool] = ()) -> Trial:
    """Of one reference."""
    return Trial(reference, Windows(reference.baseline), tools)


def power(trials: Sequence[Trial], case: Case, seed: int, windows: int, beside: int = 0) -> list[Found]:
    """What the presets `calibrated`, `classic` and the trials' tools find.

    windows: of each feature and each trial. beside: how many of those all but `calibrated` look at; the same rows.
    """
    rules = (CALIBRATED, CLASSIC)
    names = [*(rule.name for rule in rules), *(name for tool in trials[0].tools for name in tool.names)]
    hits: dict[tuple[str, str], list[bool]] = {(name, feature): [] for name in names for feature in case.features}
    for number, (reference, source, tools) in enumerate(trials):
        for feature in case.features:
            rng = np.random.default_rng([seed, number, *case.key.encode(), *feature.encode()])
            drift = case.drift(reference.by_name[feature][:SAMPLE_ROWS])
            for i in range(windows):
                column = drift.apply(named(feature).column(rng, case.rows), rng)
                window = source.quiet(rng, case.rows, {feature: column})
                for rule in rules if i < beside else (CALIBRATED,):
                    verdict = source.report(window, i, rule).verdict(feature)
                    hits[rule.name, feature].append(verdict is not None and verdict.alarm)
                for tool in tools if i < beside else ():
                    for name, flagged in zip(tool.names, tool.flags(feature, column), strict=True):
                        hits[name, feature].append(flagged)
    return [Found(name, {feature: Share.of_all(hits[name, feature]) for feature in case.features}) for name in names]
