"""Permutation: Shapley values of any model by sampling, each with its standard error.

A background row becomes the explained row one feature at a time, in a random order; what the score moves by is the
feature's contribution in that order, and the mean over orders its Shapley value (Castro, Gomez and Tejada 2009). Each
order is walked backwards too: the two errors tend to cancel (antithetic: Mitchell, Cooper, Frank and Holmes 2022,
"Sampling permutations for Shapley value estimation"). Sums are exact whatever the sampling does: each walk begins at a
background row and ends at the explained one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from api.explaining.paths import Floats
from contracts.encoder import Row

PAIRS = 64
_CELLS = 2_000_000
"""Most values in all the rows of one explanation: a model of 500 features gets 4 pairs of walks, and larger errors."""

Score = Callable[[list[Row]], Floats]


class Sampled(NamedTuple):
    """score: of the row. base: mean score of the background. errors: standard errors of the contributions. All errors
    are those of rows drawn independently; rows spread evenly, as `background` does it, mostly err less.
    """

    score: float
    base: float
    base_error: float
    contributions: Floats
    errors: Floats


def pairs_for(features: int) -> int:
    """How many pairs of walks, and so background rows, a model of so many features gets.

    >>> pairs_for(20), pairs_for(500)
    (64, 4)
    """
    return max(4, min(PAIRS, _CELLS // (2 * features * features)))


def sampled(
    score: Score, row: Row, background: Sequence[Row], movable: Sequence[int], rng: np.random.Generator
) -> Sampled:
    """All rows are scored in one call. background: one row for each pair of walks, at least two. movable: positions of
    the features that are exchanged; the others are as in `row` from the start, and contribute nothing.
    """
    rows: list[Row] = []
    orders = []
    for other in background:
        order = [movable[i] for i in rng.permutation(len(movable))]
        orders.append(order)
        for way in (order, order[::-1]):
            rows += _walk(row, other, way, movable)
    scores = score(rows).reshape(len(background), 2, len(movable) + 1)
    moves = np.zeros((len(background), len(row)))
    for pair, order in enumerate(orders):
        moves[pair, order] += np.diff(scores[pair, 0]) / 2
        moves[pair, order[::-1]] += np.diff(scores[pair, 1]) / 2
    starts, root = scores[:, 0, 0], np.sqrt(len(background))
    return Sampled(
        score=float(scores[0, 0, -1]),
        base=float(starts.mean()),
        base_error=float(starts.std(ddof=1) / root),
        contributions=moves.mean(axis=0),
        errors=moves.std(axis=0, ddof=1) / root,
    )


def _walk(row: Row, other: Row, order: Sequence[int], movable: Sequence[int]) -> list[Row]:
    mixed = list(row)
    for place in movable:
        mixed[place] = other[place]
    walked = [tuple(mixed)]
    for place in order:
        mixed[place] = row[place]
        walked.append(tuple(mixed))
    return walked
