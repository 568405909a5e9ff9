"""How much windows of the reference differ from each other by nature: what is learnt from them, of drift's statistics
and of measures of performance.

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


class BetweenWindows(msgspec.Struct, frozen=True, kw_only=True):
    """How one measure of performance varies between windows of the reference, beyond what sampling explains.

    Of auc and average_precision on the scale of log(x / (1 - x)). between: tau squared, the variance between windows;
    error: its standard error. shift: mean of the windows less the measure of all rows together; variance: of that mean.
    windows: W, how many it was learnt from. Of calibration_error `between` is what chi-square grows by a row, and the
    rest is 0. See stream_app/performance/learning.py.
    """

    between: float
    error: float = 0.0
    shift: float = 0.0
    variance: float = 0.0
    windows: int

    def __post_init__(self) -> None:
        for name in ("between", "error", "variance"):
            if not (math.isfinite(value := getattr(self, name)) and value >= 0):
                raise InvalidBaseline(f"variation of performance: {name} is {value}, it must be finite, not negative")
        if not math.isfinite(self.shift):
            raise InvalidBaseline(f"variation of performance: shift is {self.shift}, it must be finite")
        if self.windows < 2:
            raise InvalidBaseline(f"variation of performance: learnt from {self.windows} windows, 2 are needed")


class NaturalVariation(msgspec.Struct, frozen=True, kw_only=True):
    """How the learning went. column: of time; window_seconds: length of the reference's windows; windows: how many were
    used. learnt: whether the references hold learnt nulls; else why_not says why, in one sentence.

    performance_windows: how many had labels enough to learn the measures' variation from; performance_why_not: why it
    was not learnt, where it was not and outcomes are there to learn from.
    """

    column: str
    window_seconds: float
    windows: int
    learnt: bool
    why_not: str = ""
    performance_windows: int = 0
    performance_why_not: str = ""
