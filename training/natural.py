"""Natural variation of a baseline: its reference cut into windows by time, and what is learnt from them put into it."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from contracts.baseline import Baseline
from contracts.variation import NaturalVariation
from contracts.window import WindowCounts
from stream_app.drift.learning import FEWEST_WINDOWS, RECOMMENDED_WINDOWS, with_learnt_nulls
from training.columns import countable
from training.times import Times
from training.windows import FEWEST_ROWS, Windows, cut, spelt

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores that a baseline's score was counted of. rows: which rows of the reference they belong to, same shape."""

    scores: npt.NDArray[np.float64]
    rows: Rows


def with_natural_variation(
    baseline: Baseline, features: pd.DataFrame, scored: Scored | None, times: Times, length: int
) -> Baseline:
    """The same baseline with its learnt nulls, or with the reason why there are none.

    features: the rows that the baseline was counted of, times: of these rows. length: of the windows, milliseconds.
    A window's span is the same for all features and for the score, which may have been counted of fewer rows.
    """
    windows = cut(times.milliseconds, length)
    if windows.count < FEWEST_WINDOWS:
        return msgspec.structs.replace(baseline, natural=_variation(times, length, windows.count, _too_few(windows)))
    counted = _counted(baseline, features, scored, windows)
    variation = _variation(times, length, windows.count)
    return msgspec.structs.replace(with_learnt_nulls(baseline, counted), natural=variation)


def natural_lines(baseline: Baseline, times: Times | None) -> list[str]:
    """What was learnt, for the person who asked for it."""
    natural = baseline.natural
    if natural is None or times is None:
        return []
    length = spelt(round(natural.window_seconds * 1000))
    lines = [f"            times in {natural.column!r} have no zone: taken as UTC"] if times.assumed_utc else []
    if not natural.learnt:
        return [f"natural     variation not learnt: {natural.why_not}", *lines]
    more = f"; {RECOMMENDED_WINDOWS} or more are recommended" if natural.windows < RECOMMENDED_WINDOWS else ""
    references = baseline.features | ({"score": baseline.score} if baseline.score.natural else {})
    varying = [
        name for name, reference in references.items() if any(null.varies for null in reference.natural.values())
    ]
    named = f" ({', '.join(varying[:5])}{', ...' if len(varying) > 5 else ''})" if varying else ""
    return [
        f"natural     variation learnt from {natural.windows} windows of {length}{more}",
        f"            {len(varying)} of {len(references)} vary from window to window{named}",
        *lines,
    ]


def _counted(baseline: Baseline, features: pd.DataFrame, scored: Scored | None, windows: Windows) -> list[WindowCounts]:
    """Each window's counts. It holds the scores that are known of its rows."""
    counted, every = [WindowCounts(baseline) for _ in range(windows.count)], windows.rows()
    for window, rows in zip(counted, every, strict=True):
        window.rows = rows.size
    for i, feature in enumerate(baseline.schema.monitored):
        values = countable(features[feature.name], feature)
        # An array of objects can be asked for some rows; of a list of strings numpy would make fixed-width text
        column = values if isinstance(values, np.ndarray) else np.array(values, dtype=object)
        for window, rows in zip(counted, every, strict=True):
            window.features[i].add(column[rows])
    if scored is not None:
        for window, part in zip(counted, windows.rows(scored.rows), strict=True):
            scores = scored.scores[part]
            window.score.add(scores)
            if baseline.threshold is not None:
                window.decided, window.positives = part.size, int((scores >= baseline.threshold).sum())
    return counted


def _variation(times: Times, length: int, count: int, why_not: str = "") -> NaturalVariation:
    return NaturalVariation(
        column=times.column, window_seconds=length / 1000, windows=count, learnt=not why_not, why_not=why_not
    )


def _too_few(windows: Windows) -> str:
    return (
        f"the reference holds {windows.count} windows of {FEWEST_ROWS} rows or more, it takes at least "
        f"{FEWEST_WINDOWS} and {RECOMMENDED_WINDOWS} are recommended: give more rows or shorter windows"
    )
