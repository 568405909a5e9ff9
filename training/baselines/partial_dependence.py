"""Partial dependence: what a model answers when every row of a sample is given the same value of one feature.

A value that the model cannot take (an unknown level, nothing, one far out of range) has no answer, and the reason is
kept; the others have theirs. Source: J. H. Friedman, Annals of Statistics 29 (2001), section 8.2.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from contracts.binning import Floats
from contracts.model_files import FRAME_DTYPES
from contracts.schema import Feature
from training.baselines.bin_means import rounded
from training.baselines.representatives import Value

SAMPLE_ROWS, FEWEST_ROWS = 1_000, 100
MOST_SCORED = 3_000_000
"""Rows that the model scores in all, about: of wide tables the sample is smaller."""
_CELLS_AT_ONCE = 5_000_000

Ask = Callable[[pd.DataFrame], Floats]
"""Scores of rows of a feature frame, shape (rows,). Somebody else's model: it may raise anything."""


class Answer(NamedTuple):
    """Mean score and share of positives (None without a threshold), or why there are none."""

    score: float | None = None
    positives: float | None = None
    refusal: str = ""


class Sample:
    """Rows that the model was not fitted on, asked about again and again, each time with one feature set.

    features, outcomes: what they are drawn from. values: how many will be asked in all. seed: of the draw.
    """

    def __init__(self, features: pd.DataFrame, ask: Ask, threshold: float | None, values: int, seed: int) -> None:
        most = max(FEWEST_ROWS, MOST_SCORED // max(1, values))
        self.rows = min(SAMPLE_ROWS, most, len(features))
        chosen = np.sort(np.random.default_rng(seed).choice(len(features), self.rows, replace=False))
        self._ask, self._threshold = ask, threshold
        frame = features.iloc[chosen]
        self._at_once = int(np.clip(_CELLS_AT_ONCE // max(1, frame.size), 1, 64))
        self._tiled = pd.concat([frame] * self._at_once, ignore_index=True)
        [self.untouched] = self._answers(frame, 1)

    def set_to(self, feature: Feature, values: Sequence[Value | None]) -> list[Answer]:
        """An answer for each value; NaN asks about no value at all, None is not asked about."""
        answers = [Answer()] * len(values)
        asked = [(i, value) for i, value in enumerate(values) if value is not None]
        for first in range(0, len(asked), self._at_once):
            some = asked[first : first + self._at_once]
            for (i, _), answer in zip(some, self._batch(feature, [value for _, value in some]), strict=True):
                answers[i] = answer
        return answers

    def _batch(self, feature: Feature, values: list[Value]) -> list[Answer]:
        """Answers to a few values at once; where the model refuses, each is asked alone to find out which it was."""
        frame = self._tiled.iloc[: len(values) * self.rows]
        one_each = np.concatenate([np.broadcast_to(np.array(value, dtype=object), self.rows) for value in values])
        column = pd.Series(one_each, dtype=FRAME_DTYPES[feature.kind])
        answers = self._answers(frame.assign(**{feature.name: column}), len(values))
        if len(answers) < len(values):
            return [answer for value in values for answer in self._batch(feature, [value])]
        return answers

    def _answers(self, frame: pd.DataFrame, values: int) -> list[Answer]:
        """One answer for every `rows` rows; one for all of them, a refusal, where the model raised."""
        try:
            with _quietly():
                scores = np.asarray(self._ask(frame), dtype=np.float64)
        except Exception as error:  # whatever somebody else's model raises is its answer
            return [Answer(refusal=_reason(error))]
        return [self._mean(part) for part in scores.reshape(values, self.rows)]

    def _mean(self, scores: Floats) -> Answer:
        if not np.isfinite(scores).all():
            return Answer(refusal=f"its answer is {scores[~np.isfinite(scores)][0]}")
        positives = None if self._threshold is None else (scores >= self._threshold).astype(np.float64)
        [score] = rounded(scores.mean(keepdims=True))
        return Answer(score, None if positives is None else rounded(positives.mean(keepdims=True))[0])


@contextmanager
def _quietly() -> Iterator[None]:
    """Strange values are asked for on purpose: what libraries warn of is no news. One OpenMP thread: see `fit`."""
    with warnings.catch_warnings(), np.errstate(all="ignore"), threadpool_limits(limits=1, user_api="openmp"):
        warnings.simplefilter("ignore")
        yield


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:160]
