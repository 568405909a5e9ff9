"""Curves: AUC of the training rows and of rows held out from them, by the number of rows (learning curve) and by the
value of one parameter (validation curve). The gap between the two is what the model has learnt by heart.

Few points, because each is a fit for every fold: the learning curve's last one is the cross-validation that was done
anyway, and the validation curve is drawn on a third of the rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold
from sklearn.utils.parallel import Parallel, delayed

from training.configuration.config import Scalar, Search, Span
from training.data.columns import Labels
from training.data.splits import Rows
from training.errors import ConfigError
from training.fitting.folds import TRAINING_AUC, fold_aucs
from training.fitting.pipeline import CLASSIFY
from training.fitting.search import one_thread_each

SHARES = (0.1, 0.3)
"""Of the rows of the learning curve's first points."""
VALUES = 4
_FOLDS, _SHARE, _FEWEST = 3, 1 / 3, 5


@dataclass(frozen=True)
class Point:
    """at: rows, or the parameter's value. training, validation: AUC of each fold."""

    at: Scalar
    training: tuple[float, ...]
    validation: tuple[float, ...]


@dataclass(frozen=True)
class Curve:
    """x: what `at` is. log: whether small values lie closer."""

    x: str
    log: bool
    points: tuple[Point, ...]


@dataclass(frozen=True, eq=False)
class Ground:
    """What is fitted: an unfitted pipeline, with the parameters that were found, to these training rows."""

    pipeline: Any
    features: pd.DataFrame
    labels: Labels
    seed: int
    jobs: int


def learning_curve(ground: Ground, folds: Sequence[Mapping[str, float]]) -> Curve:
    """folds: of the cross-validation with the same pipeline, rows and seed. Raises ConfigError."""
    points = []
    parts = _parts(ground.labels, len(folds), ground.seed)
    for share in SHARES:
        few = [(_some(fit, ground.labels, share, ground.seed), check) for fit, check in parts]
        if all(min(np.bincount(ground.labels[fit], minlength=2)) >= _FEWEST for fit, _ in few):
            points.append(_point(len(few[0][0]), ground.pipeline, ground, few[:_FOLDS]))
    last = Point(len(parts[0][0]), *(tuple(fold[name] for fold in folds) for name in (TRAINING_AUC, "auc")))
    return Curve("rows", True, (*points, last))


def validation_curve(ground: Ground, search: Search) -> Curve | None:
    """By the first parameter of the search's space that is a span; None where there is none. Raises ConfigError."""
    found = next(((name, span) for name, span in search.space.items() if isinstance(span, Span)), None)
    if found is None:
        return None
    name, span = found
    parts = [
        (_some(fit, ground.labels, _SHARE, ground.seed), check)
        for fit, check in _parts(ground.labels, _FOLDS, ground.seed)
    ]
    points = []
    for value in values_of(span):
        pipeline = clone(ground.pipeline).set_params(**{f"{CLASSIFY}__{name}": value})
        points.append(_point(value, pipeline, ground, parts))
    return Curve(name, span.log, tuple(points))


def values_of(span: Span) -> tuple[float | int, ...]:
    """From one end of the span to the other.

    >>> values_of(Span(low=1, high=1000, log=True))
    (1, 10, 100, 1000)
    """
    drawn = np.geomspace if span.log else np.linspace
    values = [float(value) for value in drawn(span.low, span.high, VALUES)]
    if isinstance(span.low, int) and isinstance(span.high, int):
        return tuple(dict.fromkeys(round(value) for value in values))
    return (span.low, *values[1:-1], span.high)


def _point(at: Scalar, pipeline: Any, ground: Ground, parts: Sequence[tuple[Rows, Rows]]) -> Point:
    try:
        with one_thread_each(ground.jobs), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the point shows it
            found = Parallel(n_jobs=ground.jobs)(
                delayed(fold_aucs)(clone(pipeline), ground.features, ground.labels, fit, check) for fit, check in parts
            )
    except ValueError as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"pictures.curves: no fit at {at}: {reason}: set it to false") from error
    return Point(at, tuple(one for one, _ in found), tuple(other for _, other in found))


def _parts(labels: Labels, folds: int, seed: int) -> list[tuple[Rows, Rows]]:
    """As the cross-validation cuts them."""
    return list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(np.zeros(len(labels)), labels))


def _some(rows: Rows, labels: Labels, share: float, seed: int) -> Rows:
    """A share of the rows of each class, in their order."""
    draw = np.random.default_rng(seed)
    of_class = [rows[labels[rows] == value] for value in (0, 1)]
    return np.sort(np.concatenate([draw.permutation(one)[: int(np.ceil(share * len(one)))] for one in of_class]))
