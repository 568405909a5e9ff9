"""Every injected drift of every feature, and whether the cause that the stream states of it is the true one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from bench.detection.drifts import Drift, Truth, filled, level_drifts, numeric_drifts, scaled, shifted
from bench.detection.features import FEATURES, Mixed, NumericFeature
from bench.detection.reference import SAMPLE_ROWS, Drawn
from bench.detection.share import Share
from bench.detection.windows import Windows
from contracts.binning import Binning, Bins
from contracts.findings import Cause

UNIT_IS_RIGHT = 0.02
"""Relative error of a factor: 1.609 and 1.609344 are one unit."""
RATIO_IS_RIGHT, SHIFT_IS_RIGHT = 0.1, 0.25
"""Relative errors of other sizes."""
_MOST_CONFUSED = 4
_TEMPERATURE = "fahrenheit"
"""The one feature that can be converted to degrees Celsius."""
_CONSTANT = "constant"
_NO_UNIT = 1.3
_FAR = (3.0, 4.0, 5.0, -5.0)
"""Standard deviations that take most of a feature into one bin beyond the reference: another season."""
FAR_GROUP = "shift of 3 to 5 sd"
_GROUPS = {
    "missing": "missing in {share:.0%} of rows",
    "spike": "= 0, -1 or the median in {share:.0%} of rows",
    "shift": "shift of .2 to 1 sd",
    "ratio": "all rows x1.3, no unit's factor",
    "spread": "spread x1.5 or x0.6",
    "tail": "upper tail x2",
    "clip": "clip at the 90 % or 70 % quantile",
    "new_level": "new level in 1, 5 or 20 % of rows",
    "renamed": "renamed level",
    "vanished_level": "a level's rows go to the largest one",
    "grown_level": "a level takes 10 or 30 % of rows",
}


@dataclass
class Tally:
    """What was said. windows: injected; the others are of those in which the drifted feature alarms. share_errors: of
    the share of rows concerned, where the cause was right and the share is known."""

    windows: int = 0
    alarmed: int = 0
    right: int = 0
    taken_for: Counter[str] = field(default_factory=Counter)
    share_errors: list[float] = field(default_factory=list)

    def add(self, cause: Cause | None, truth: Truth, bins: Binning) -> None:
        """A window in which the feature alarms."""
        self.alarmed += 1
        if not says(cause, truth, bins):
            self.taken_for["nothing" if cause is None else cause.kind] += 1
            return
        self.right += 1
        if truth.kind in ("unit", "spike", "new_level") and cause is not None and cause.share is not None:
            self.share_errors.append(abs(cause.share - truth.share))

    @property
    def accuracy(self) -> Share:
        """Named right, of those that alarm."""
        return Share(self.right, self.alarmed)


class Injected(NamedTuple):
    """What a tally is of. group: row of the table; drift: its name; feature: into which it was injected."""

    group: str
    drift: str
    feature: str


Found = dict[Injected, Tally]


def merged(tallies: Iterable[Tally]) -> Tally:
    """All of them together."""
    together = Tally()
    for tally in tallies:
        together.windows += tally.windows
        together.alarmed += tally.alarmed
        together.right += tally.right
        together.taken_for += tally.taken_for
        together.share_errors += tally.share_errors
    return together


def drifts_of(feature: Mixed, drawn: Drawn) -> tuple[Drift, ...]:
    """What is injected into a feature."""
    sample = drawn.by_name[feature.name][:SAMPLE_ROWS]
    if isinstance(feature, NumericFeature):
        numbers = np.asarray(sample, dtype=np.float64)
        possible = [
            drift for drift in numeric_drifts(numbers) if "F -> C" not in drift.name or feature.name == _TEMPERATURE
        ]
        if feature.name == _CONSTANT:
            return tuple(_of_a_constant(drift, float(numbers[0])) for drift in possible)
        return (*possible, *(shifted(numbers, sds) for sds in _FAR), _ratio(_NO_UNIT))
    return level_drifts(np.asarray(sample, dtype=object))


def tallies(drawn: Drawn, seed: int, rows: int, windows: int) -> Found:
    """So many windows of `rows` rows of each drift of each feature.

    The drifted feature is judged as the stream does it, beside the nineteen others.
    """
    reports, found = Windows(drawn.baseline), Found()
    for feature in FEATURES:
        for drift in drifts_of(feature, drawn):
            injected = Injected(group_of(drift), drift.name, feature.name)
            found[injected] = tally_of(reports, feature, drift, seed, rows, windows)
    return found


def tally_of(reports: Windows, feature: Mixed, drift: Drift, seed: int, rows: int, windows: int) -> Tally:
    """One drift of one feature."""
    tally, bins = Tally(), reports.baseline.features[feature.name].bins
    rng = np.random.default_rng([seed, rows, *feature.name.encode(), *drift.name.encode()])
    for _ in range(windows):
        tally.windows += 1
        column = drift.apply(feature.column(rng, rows), rng)
        verdict = reports.report(reports.quiet(rng, rows, {feature.name: column})).verdict(feature.name)
        if verdict is not None and verdict.alarm:
            tally.add(verdict.cause, drift.truth, bins)
    return tally


def _of_a_constant(drift: Drift, value: float) -> Drift:
    """All of a constant times a factor is another constant: nobody can know how it came by its value."""
    truth = drift.truth
    if truth.kind != "unit" or truth.share < 1 or truth.factor is None:
        return drift
    return replace(filled(value * truth.factor, 1.0), name=drift.name)


def _ratio(factor: float) -> Drift:
    """All rows times a factor that is none of a unit: prices rose."""
    return replace(scaled(factor, 1.0), name=f"ratio x{factor:g}", truth=Truth("ratio", factor=factor))


def group_of(drift: Drift) -> str:
    """The row of the table that a drift belongs to."""
    kind = drift.truth.kind
    if kind == "shift" and drift.name in {f"shift {sds:+g} sd" for sds in _FAR}:
        return FAR_GROUP
    return drift.name if kind is None or kind == "unit" else _GROUPS[kind].format(share=drift.truth.share)


def says(cause: Cause | None, truth: Truth, bins: Binning) -> bool:
    """Whether a stated cause is the true one: its kind, and a unit's factor, a spike's bin, a shift's size, a known
    level's name."""
    if cause is None or cause.kind != truth.kind:
        return False
    if truth.factor is not None and truth.kind in ("unit", "ratio"):
        error = UNIT_IS_RIGHT if truth.kind == "unit" else RATIO_IS_RIGHT
        return cause.factor is not None and math.isclose(cause.factor, truth.factor, rel_tol=error)
    if truth.kind == "spike" and isinstance(bins, Bins):
        return _bin(bins, cause.value) == _bin(bins, truth.value)
    if truth.kind == "shift":
        return math.isclose(_number(cause.value), _number(truth.value), rel_tol=SHIFT_IS_RIGHT)
    return truth.kind not in ("grown_level", "vanished_level", "renamed") or cause.value == truth.value


def table(sizes: Sequence[int], found: Sequence[Found]) -> Iterator[str]:
    """As Markdown, two columns for each number of rows."""
    heads = [f"n = {rows:,}: right / alarmed / injected | taken for" for rows in sizes]
    yield f"| injected | {' | '.join(heads)} |"
    yield "|" + "---|" * (1 + 2 * len(sizes))
    for group in dict.fromkeys(injected.group for injected in found[0]):
        cells = []
        for tally in (merged(tally for injected, tally in size.items() if injected.group == group) for size in found):
            rate = f" ({tally.accuracy.rate:.1%})" if tally.alarmed else ""
            cells.append(f"{tally.right} / {tally.alarmed} / {tally.windows}{rate}")
            cells.append(", ".join(f"{kind} {count}" for kind, count in tally.taken_for.most_common(_MOST_CONFUSED)))
        yield f"| {group} | {' | '.join(cells)} |"


def _bin(bins: Bins, value: float | str | None) -> int:
    return int(bins.edge_array.searchsorted(_number(value), side="right"))


def _number(value: float | str | None) -> float:
    return value if isinstance(value, float) else math.nan
