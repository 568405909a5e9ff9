"""Natural variation of a baseline: its reference cut into windows by time, and what is learnt from them put into it:
of features, scores and decisions for drift, of measures for performance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from contracts.baseline import Baseline, Positives, Reference
from contracts.histogram import Histogram
from contracts.variation import NaturalVariation
from stream_app.drift.learning import FEWEST_WINDOWS, RECOMMENDED_WINDOWS, with_learnt_nulls
from training.baselines.merged_windows import windows_in_words
from training.baselines.natural_performance import Learning, natural_performance_lines, with_natural_performance
from training.baselines.windows import FEWEST_ROWS, Windows, cut
from training.data.columns import countable
from training.data.times import Times

Rows = npt.NDArray[np.intp]
Column = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores that a baseline's score was counted of. rows: which rows of the reference they belong to, same shape.
    truths: of the same rows, as the baseline's outcomes or residuals have them; None where nobody knows.
    """

    scores: npt.NDArray[np.float64]
    rows: Rows
    truths: npt.NDArray[Any] | None = None


def with_natural_variation(
    baseline: Baseline, features: pd.DataFrame, scored: Scored | None, times: Times, length: int
) -> Baseline:
    """The same baseline with its learnt nulls and variations, or with the reason why there are none.

    features: the rows that the baseline was counted of, times: of these rows. length: of the windows, milliseconds.
    A window's span is the same for all features and for the score, which may have been counted of fewer rows. Windows
    of performance are of those rows alone, and thin ones are merged by their number.
    """
    performance = Learning()
    if scored is not None and scored.truths is not None:
        of_rows = scored.scores, scored.truths, times.milliseconds[scored.rows]
        baseline, performance = with_natural_performance(baseline, *of_rows, length)
    windows = cut(times.milliseconds, length)
    if windows.count < FEWEST_WINDOWS:
        variation = _variation(times, length, windows.count, performance, _too_few(windows))
        return msgspec.structs.replace(baseline, natural=variation)
    variation = _variation(times, length, windows.count, performance)
    scores, decided = _scores(baseline, scored, windows)
    taught = with_learnt_nulls(baseline, _features(baseline, features, windows), scores, decided)
    return msgspec.structs.replace(taught, natural=variation)


def natural_lines(baseline: Baseline, times: Times | None) -> list[str]:
    """What was learnt, for the person who asked for it."""
    natural = baseline.natural
    if natural is None or times is None:
        return []
    length = round(natural.window_seconds * 1000)
    lines = [f"            times in {natural.column!r} have no zone: taken as UTC"] if times.assumed_utc else []
    lines = [*natural_performance_lines(baseline), *lines]
    if not natural.learnt:
        return [f"natural     variation not learnt: {natural.why_not}", *lines]
    more = f"; {RECOMMENDED_WINDOWS} or more are recommended" if natural.windows < RECOMMENDED_WINDOWS else ""
    references = baseline.features | ({"score": baseline.score} if baseline.score.natural else {})
    varying = [
        name for name, reference in references.items() if any(null.varies for null in reference.natural.values())
    ]
    named = f" ({', '.join(varying[:5])}{', ...' if len(varying) > 5 else ''})" if varying else ""
    number, thoughts = windows_in_words(cut(times.milliseconds, length), times.milliseconds, length)
    return [
        f"natural     variation learnt from {number}{more}",
        *thoughts,
        f"            {len(varying)} of {len(references)} vary from window to window{named}",
        *lines,
    ]


def _features(baseline: Baseline, features: pd.DataFrame, windows: Windows) -> Iterator[Iterator[Histogram]]:
    """Each monitored feature's windows, counted when they are asked for: windows x features are never in memory."""
    every = windows.rows()
    for feature in baseline.schema.monitored:
        values = countable(features[feature.name], feature)
        # An array of objects can be asked for some rows; of a list of strings numpy would make fixed-width text
        column = values if isinstance(values, np.ndarray) else np.array(values, dtype=object)
        yield _counted(baseline.features[feature.name], column, every)


def _scores(baseline: Baseline, scored: Scored | None, windows: Windows) -> tuple[Iterator[Histogram], list[Positives]]:
    """Each window's scores, those that are known of its rows, and the decisions that follow."""
    if scored is None:
        return iter(()), []
    every = windows.rows(scored.rows)
    counted = _counted(baseline.score, scored.scores, every)
    if baseline.threshold is None:
        return counted, []
    positive = scored.scores >= baseline.threshold
    return counted, [Positives(int(positive[rows].sum()), rows.size) for rows in every]


def _counted(reference: Reference, column: Column, every: Sequence[Rows]) -> Iterator[Histogram]:
    for rows in every:
        window = Histogram(reference.bins)
        window.add(column[rows])
        yield window


def _variation(times: Times, length: int, count: int, performance: Learning, why_not: str = "") -> NaturalVariation:
    return NaturalVariation(
        column=times.column,
        window_seconds=length / 1000,
        windows=count,
        learnt=not why_not,
        why_not=why_not,
        performance_windows=performance.windows,
        performance_why_not=performance.why_not,
    )


def _too_few(windows: Windows) -> str:
    return (
        f"the reference holds {windows.count} windows of {FEWEST_ROWS} rows or more, it takes at least "
        f"{FEWEST_WINDOWS} and {RECOMMENDED_WINDOWS} are recommended: give more rows or shorter windows"
    )
