"""Natural variation of performance: the labelled rows of a baseline cut into windows by time, and what their measures
teach put into it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from contracts.baseline import Baseline
from contracts.outcomes import Outcomes, Residuals
from stream_app.performance.counting import OutcomeCounts
from stream_app.performance.learning import FEWEST_ROWS, FEWEST_WINDOWS, RECOMMENDED_WINDOWS, enough, learn
from stream_app.performance.measures import reference_measures
from stream_app.performance.natural import law, natural_range
from stream_app.performance.rule import RULE
from stream_app.performance.summary import number, words
from training.baselines.windows import cut
from training.data.times import Milliseconds


@dataclass(frozen=True)
class Learning:
    """How it went. windows: had labels enough; why_not: nothing was learnt of them, empty where something was."""

    windows: int = 0
    why_not: str = ""


def with_natural_performance(
    baseline: Baseline,
    scores: npt.NDArray[np.float64],
    truths: npt.NDArray[Any],
    times: Milliseconds,
    length: int,
) -> tuple[Baseline, Learning]:
    """The same baseline with what is learnt of its measures. Thin windows are merged, see windows.py.

    scores, truths, times: of the rows that the baseline's outcomes or residuals were counted of, shape (rows,) each.
    length: of the windows, milliseconds.
    """
    if not reference_measures(baseline):
        return baseline, Learning()
    usable = 0

    def windows() -> Iterator[Outcomes | Residuals]:
        nonlocal usable
        for rows in cut(times, length, FEWEST_ROWS).rows():
            counts = OutcomeCounts(baseline)
            counts.add(scores[rows], truths[rows])
            outcomes = counts.value()
            usable += enough(outcomes)
            yield outcomes

    learnt = learn(baseline, windows())
    why_not = "" if learnt else _too_few(usable, baseline)
    return msgspec.structs.replace(baseline, natural_performance=learnt), Learning(usable, why_not)


def natural_performance_lines(baseline: Baseline) -> list[str]:
    """What was learnt of the first measure, or why nothing was, for the person who asked for it."""
    natural, reference = baseline.natural, reference_measures(baseline)
    if natural is None or not reference:
        return []
    if not baseline.natural_performance:
        why_not = natural.performance_why_not or "the times of the labelled rows are not known"
        return [f"            of performance not learnt: {why_not}"]
    name = next(name for name in reference if name in baseline.natural_performance)
    variation = baseline.natural_performance[name]
    low, high = natural_range(reference[name], law(reference[name], variation, 0.0, 0.0))
    few = variation.windows < RECOMMENDED_WINDOWS
    more = f"; {RECOMMENDED_WINDOWS} or more are recommended" if few else ""
    return [
        f"            of performance learnt from {variation.windows} windows{more}: {words(name)} {number(low)} to "
        f"{number(high)} is natural, {number(reference[name].value)} over all rows"
    ]


def _too_few(usable: int, baseline: Baseline) -> str:
    of_each = "" if baseline.residuals is not None else f" with {RULE.truths} of either truth"
    return (
        f"the labelled rows make {usable} windows of {FEWEST_ROWS} or more{of_each}, it takes at least "
        f"{FEWEST_WINDOWS} and {RECOMMENDED_WINDOWS} are recommended: more rows or longer windows"
    )
