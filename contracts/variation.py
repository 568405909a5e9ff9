"""How much windows of the reference differ from each other by nature: the null distribution that is learnt from them.

Weather, weekdays, autocorrelation: a real window differs from the whole reference even when nothing is wrong.
"""

from __future__ import annotations

import math

import msgspec

from contracts.errors import InvalidBaseline


class LearntNull(msgspec.Struct, frozen=True):
    """The null of one statistic of one feature, learnt from the reference's own windows.

    varies: the gate; False keeps the p-value of sampling alone. between: tau squared, the variance between windows, in
    units of 1/rows. mean: M, of statistic / (1/n + 1/m + between). shape: a; statistic / M is F(2a, 2aW) distributed.
    windows: W, how many of the reference's windows had enough rows for it.
    """

    varies: bool
    between: float
    mean: float
    shape: float
    windows: int = 0

    def __post_init__(self) -> None:
        for name in ("between", "mean", "shape", "windows"):
            if not (math.isfinite(value := getattr(self, name)) and value >= 0):
                raise InvalidBaseline(f"learnt null: {name} is {value}, it must be finite and not negative")
        if self.varies and not (self.mean and self.shape and self.windows):
            raise InvalidBaseline("learnt null: one that varies needs mean, shape and windows above 0")


class NaturalVariation(msgspec.Struct, frozen=True, kw_only=True):
    """How the learning went. column: of time; window_seconds: length of the reference's windows; windows: how many were
    used. learnt: whether the references hold learnt nulls; else why_not says why, in one sentence.
    """

    column: str
    window_seconds: float
    windows: int
    learnt: bool
    why_not: str = ""
