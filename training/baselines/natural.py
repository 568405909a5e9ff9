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
from contracts.schema import Feature, FeatureSchema
from contracts.variation import NaturalVariation
from stream_app.drift.learning import FEWEST_WINDOWS, RECOMMENDED_WINDOWS, learn, with_learnt_nulls
from training.baselines.histograms import count_references
from training.baselines.merged_windows import windows_in_words
from training.baselines.natural_performance import Learning, natural_performance_lines, with_natural_performance
from training.baselines.windows import FEWEST_ROWS, Windows, cut
from training.data.columns import countable
from training.data.times import Times

Rows = npt.NDArray[np.intp]
Column = npt.NDArray[Any]
_SEED = 0
"""Of the simulated null tables of older rows, which the baseline does not keep."""


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores that a baseline's score was counted of. rows: which rows of the reference they belong to, same shape.
    truths: of the same rows, as the baseline's outcomes or residuals have them; None where nobody knows.
    """

    scores: npt.NDArray[np.float64]
    rows: Rows
    truths: npt.NDArray[Any] | None = None


def with_natural_variation(
    baseline: Baseline,
    features: pd.DataFrame,
    scored: Scored | None,
    times: Times,
    length: int,
    counted: Rows | None = None,
) -> Baseline:
    """The same baseline with its learnt nulls and variations, or with the reason why there are none.

    features: feature frame, times: of its rows. counted: positions of the rows that the baseline was counted of, None:
    all. Where these hold too few windows, features learn from windows of the other rows instead: how much those differ
    from each other. length: of the windows, milliseconds. A window's span is the same for all features and for the
    score, which may have been counted of fewer rows. Windows of performance are of those rows alone, and thin ones are
    merged by their number.
    """
    performance = Learning()
    if scored is not None and scored.truths is not None:
        of_rows = scored.scores, scored.truths, times.milliseconds[scored.rows]
        baseline, performance = with_natural_performance(baseline, *of_rows, length)
    windows, others = _windows(times, length, counted)
    if windows.count < FEWEST_WINDOWS:
        if others.count >= FEWEST_WINDOWS:
            variation = _variation(times, length, others.count, performance)
            return msgspec.structs.replace(_taught_by(baseline, features, others), natural=variation)
        variation = _variation(times, length, windows.count, performance, _too_few(windows))
        return msgspec.structs.replace(baseline, natural=variation)
    variation = _variation(times, length, windows.count, performance)
    scores, decided = _scores(baseline, scored, windows)
    each = _features(baseline.schema.monitored, baseline.features, features, windows)
    taught = with_learnt_nulls(baseline, each, scores, decided)
    return msgspec.structs.replace(taught, natural=variation)


def natural_lines(baseline: Baseline, times: Times | None, counted: Rows | None = None) -> list[str]:
    """What was learnt, for the person who asked for it. times, counted: as above."""
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
    own, others = _windows(times, length, counted)
    older = own.count < FEWEST_WINDOWS
    number, thoughts = windows_in_words(others if older else own, times.milliseconds, length)
    return [
        f"natural     variation learnt from {number}{' of older rows' if older else ''}{more}",
        *thoughts,
        f"            {len(varying)} of {len(references)} vary from window to window{named}",
        *lines,
    ]


def borrowed(times: Times, length: int, counted: Rows) -> str:
    """One sentence where the rows that a baseline counts hold too few windows to learn their variation from; else "".
    Arguments as above.
    """
    own, others = _windows(times, length, counted)
    if own.count >= FEWEST_WINDOWS or counted.size == times.milliseconds.size:
        return ""
    enough = others.count >= FEWEST_WINDOWS
    instead = f"learnt from {others.count} windows of the older rows" if enough else "not learnt"
    return (
        f"the {counted.size:,} rows that the baseline counts hold {own.count} windows of {FEWEST_ROWS} rows or more, "
        f"it takes {FEWEST_WINDOWS}: natural variation of features is {instead}, of the score it is not learnt"
    )


def _windows(times: Times, length: int, counted: Rows | None) -> tuple[Windows, Windows]:
    """The windows of these rows, None: of all; and those of the others. Each over all rows: the rest is in none."""
    every = np.arange(times.milliseconds.size)
    mine = every if counted is None else counted
    found = []
    for rows in (mine, np.setdiff1d(every, mine)):
        windows, of_row = cut(times.milliseconds[rows], length), np.full(every.size, -1, dtype=np.int64)
        of_row[rows] = windows.of_row
        found.append(Windows(of_row, windows.count))
    return found[0], found[1]


def _taught_by(baseline: Baseline, features: pd.DataFrame, windows: Windows) -> Baseline:
    """With how much these windows vary among themselves: learnt as if the baseline were made of their rows."""
    inside = features[windows.of_row >= 0]
    known = tuple(feature for feature in baseline.schema.monitored if inside[feature.name].notna().any())
    own = count_references(inside, FeatureSchema(known), None, _SEED).features
    taught = dict(baseline.features)
    for feature, each in zip(known, _features(known, own, features, windows), strict=True):
        natural = learn(own[feature.name], each)
        taught[feature.name] = msgspec.structs.replace(taught[feature.name], natural=natural)
    return msgspec.structs.replace(baseline, features=taught)


def _features(
    known: Sequence[Feature], references: dict[str, Reference], features: pd.DataFrame, windows: Windows
) -> Iterator[Iterator[Histogram]]:
    """Each known feature's windows, counted when they are asked for: windows x features are never in memory."""
    every = windows.rows()
    for feature in known:
        values = countable(features[feature.name], feature)
        # An array of objects can be asked for some rows; of a list of strings numpy would make fixed-width text
        column = values if isinstance(values, np.ndarray) else np.array(values, dtype=object)
        yield _counted(references[feature.name], column, every)


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
