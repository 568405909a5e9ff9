"""Splits: which rows a model is fitted to, which ones it is tuned by, and which ones it is judged by, once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace
from sklearn.model_selection import train_test_split

from contracts.times import milliseconds
from training.configuration.config import Split
from training.data.columns import Labels
from training.data.times import Milliseconds
from training.errors import DataError

Rows = npt.NDArray[np.intp]

FEWEST = 4
"""Rows of each class that every part needs; of the training rows each fold needs one, too."""


@dataclass(frozen=True, eq=False)
class Parts:
    """Positions in the samples. No row is in two of train, validation and test; test may be empty: then nothing is
    judged by it. present: of the world that the model is made for: all rows, or those from train_only_before on;
    rising.
    """

    train: Rows
    validation: Rows
    test: Rows
    present: Rows


def stratified(labels: Labels, validation: float, test: float, seed: int) -> Parts:
    """Each part holds the same share of positives. test 0: an empty one."""
    rows, rest = np.arange(len(labels)), np.arange(0)
    if test:
        rows, rest = train_test_split(rows, test_size=test, stratify=labels, random_state=seed)
    train, check = train_test_split(rows, test_size=validation / (1 - test), stratify=labels[rows], random_state=seed)
    return Parts(train, check, rest, np.arange(len(labels)))


def by_time(times: Milliseconds, validation: float, test: float) -> Parts:
    """The first rows are trained on, the last ones are the test. Rows of one moment are never separated."""
    order = np.argsort(times, kind="stable")
    rising = times[order]
    cuts = [round(len(times) * share) for share in (1 - validation - test, 1 - test)]
    first, second = (int(np.searchsorted(rising, rising[min(cut, len(rising) - 1)], side="left")) for cut in cuts)
    return Parts(order[:first], order[first:second], order[second:], np.arange(len(times)))


def split(labels: Labels, times: Milliseconds | None, how: Split, seed: int, folds: int) -> Parts:
    """Raises DataError where a part would lack a class, or times are needed and not there."""
    if how.by == "time" and times is None:
        raise DataError('split.by is "time", and the dataset.toml names no time: add time = "COLUMN"')
    if how.train_only_before is not None:
        return _beside_old_rows(labels, times, how, how.train_only_before, seed, folds)
    _check_enough(labels, how, folds)
    if how.by == "time" and times is not None:
        parts = by_time(times, how.validation, how.test)
    else:
        parts = stratified(labels, how.validation, how.test, seed)
    for name, rows in (("training", parts.train), ("validation", parts.validation), ("test", parts.test)):
        for value in (0, 1):
            found, needed = int((labels[rows] == value).sum()), folds if name == "training" else FEWEST
            if found < needed:
                raise DataError(
                    f"the {name} part has {found} rows of label {value}, at least {needed} are needed: "
                    f"change split, take more rows{', or split by stratified' if how.by == 'time' else ''}"
                )
    return parts


def _beside_old_rows(
    labels: Labels, times: Milliseconds | None, how: Split, before: datetime, seed: int, folds: int
) -> Parts:
    """Old rows are trained on: what was fitted to them already must not be compared by them, and a world that is over
    is no reference for what comes.
    """
    if times is None:
        raise DataError('split.train_only_before needs times, and the dataset.toml names none: add time = "COLUMN"')
    new = np.flatnonzero(times >= milliseconds(before))
    if not new.size:
        raise DataError(f"split.train_only_before is {before.isoformat()}: no row is that young")
    old = np.flatnonzero(times < milliseconds(before))
    parts = split(labels[new], times[new], replace(how, train_only_before=None), seed, folds)
    return Parts(np.concatenate([old, new[parts.train]]), new[parts.validation], new[parts.test], new)


def _check_enough(labels: Labels, how: Split, folds: int) -> None:
    """Before scikit-learn complains in its own words."""
    least = min(how.validation, how.test)
    needed = int(np.ceil(max(FEWEST / least, folds / (1 - how.validation - how.test)))) + 1
    for value in (0, 1):
        rows = int((labels == value).sum())
        if rows < needed:
            raise DataError(
                f"label {value} is in {rows} rows only: at least {needed} are needed for {how.validation:.0%} of "
                f"validation, {how.test:.0%} of test and {folds} folds"
            )
