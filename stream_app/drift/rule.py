"""DecisionRule: every threshold between statistics and an alarm, and the two presets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one metric has to say in a rule.

    weight: its share of a feature's p-value, p / weight; 0: its p is not used. Rates count with weight 1 or 0.
    floor: the size above which a change matters; None: the metric has no opinion on that. alarm_above: the value, as
    people read it, above which a feature alarms whatever the p-values say; None: never.
    """

    weight: float = 0.0
    floor: float | None = None
    alarm_above: float | None = None


class DecisionRule(msgspec.Struct, frozen=True, kw_only=True):
    """When a feature alarms: significant in its family and material (decision.py says it in formulas).

    parts: by the name of the metric; a metric without a part is reported and decides nothing. values_q, rates_q: the
    false discovery rate allowed in each family of tests, or with correction "none" the level of each single test.
    n_min: rows below which a window is not compared. natural: whether p-values learnt from natural variation are used
    where a baseline has them. known_false_alarms: one sentence for every report, where a reader should be warned.
    Raises ValueError when a threshold makes no sense.
    """

    name: str
    parts: Mapping[str, Part]
    values_q: float
    rates_q: float
    correction: Literal["benjamini-hochberg", "none"] = "benjamini-hochberg"
    n_min: int = 200
    natural: bool = True
    known_false_alarms: str = ""

    def __post_init__(self) -> None:
        for field, q in (("values_q", self.values_q), ("rates_q", self.rates_q)):
            if not 0 <= q < 1:
                raise ValueError(f"rule {self.name!r}: {field} is {q}, it must be at least 0 and below 1")
        for metric, part in self.parts.items():
            if not 0 <= part.weight <= 1:
                raise ValueError(f"rule {self.name!r}: the weight of {metric!r} is {part.weight}, it must be 0 to 1")
        if self.n_min < 1:
            raise ValueError(f"rule {self.name!r}: n_min is {self.n_min}, it must be at least 1")

    def part(self, metric: str) -> Part:
        """What the metric of this name has to say."""
        return self.parts.get(metric, _SILENT)


_SILENT = Part()
_RATE = Part(weight=1.0, floor=0.02)

CALIBRATED = DecisionRule(
    name="calibrated",
    parts={
        # Three tests of one feature share its p-value unevenly: KS finds most of what there is to find
        "ks": Part(weight=0.6, floor=0.05),
        "psi": Part(weight=0.3, floor=0.05),
        "peak": Part(weight=0.1),
        "chi2": Part(weight=1.0),
        "level_shift": Part(floor=0.05),
        # Half of what should be found: a rate that goes from 1 % to 3 %, a new level in 1 % of the rows
        "missing": Part(weight=1.0, floor=0.01),
        "out_of_range": _RATE,
        "unseen": Part(weight=1.0, floor=0.005),
        "positives": _RATE,
    },
    values_q=0.01,
    rates_q=0.005,
)
"""At most 1.5 % of the windows without drift hold a false alarm: the two q's add up to it."""

CLASSIC = DecisionRule(
    name="classic",
    parts={"ks": Part(weight=1.0), "chi2": Part(weight=1.0), "psi": Part(alarm_above=0.2)},
    values_q=0.05,
    rates_q=0.0,
    correction="none",
    natural=False,
    # Measured: python -m bench detection --only quiet, 500 to 100,000 rows. (Of windows of 200 rows 69 %: the PSI of
    # 50 levels is near .2 there when nothing changes.)
    known_false_alarms="the classic rule, KS p < .05 or PSI > .2 for each feature, alarms on 59 % of the windows of 20"
    " features in which nothing changed",
)
"""The folklore rule, as it is used without natural variation and without regard to missing values."""

PRESETS: Mapping[str, DecisionRule] = {rule.name: rule for rule in (CALIBRATED, CLASSIC)}
