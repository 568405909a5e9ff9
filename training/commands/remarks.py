"""What a person should know of his reference before it is used: columns that look wrong, and what was not asked for.

Lines of text, one each. Nothing here is an error: the baseline is made all the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from contracts.baseline import Baseline
from contracts.binning import TOP_LEVELS
from contracts.schema import FeatureSchema
from training.data.infer import Guess

MANY_LEVELS = 2 * TOP_LEVELS
"""Text with more different values than this is an identifier more often than a category."""


def column_lines(features: pd.DataFrame, schema: FeatureSchema, guesses: Sequence[Guess] = ()) -> list[str]:
    """features: a feature frame. guesses: what columns were taken for, empty where a description said it."""
    lines = []
    for feature in schema.monitored:
        values = features[feature.name].dropna().unique()
        if len(values) == 1:
            lines.append(
                f"warning     feature {feature.name!r} is {_shown(values[0])} wherever it has a value: any other value "
                "will alarm; set monitored = false in the dataset.toml if that is not meant"
            )
    levels = {guess.column: int(features[guess.column].nunique()) for guess in guesses if guess.kind == "categorical"}
    many = [
        f"warning     {column!r} was taken for categorical and has {number} levels: an identifier? Only the "
        f"{TOP_LEVELS} most frequent are told apart; leave it out with --schema dataset.toml"
        for column, number in levels.items()
        if number > MANY_LEVELS
    ]
    return lines + many


def score_lines(scores: npt.NDArray[np.float64] | None) -> list[str]:
    """scores: of the reference, shape (rows,); None where there are none."""
    if scores is None or scores.size == 0 or scores.min() < scores.max():
        return []
    return [
        f"warning     the score is {scores[0]:g} in every row: any other score will alarm, and how it depends on a "
        "feature is not to be seen; is it the right column?"
    ]


def window_lines(time_columns: Sequence[str], length: int | None) -> list[str]:
    """time_columns: that hold the rows' times. length: of the windows that natural variation was to be learnt from."""
    if length is not None or not time_columns:
        return []
    named = ", ".join(time_columns)
    return [f"natural     variation of features and score: not learnt, give --window (the file has times: {named})"]


def threshold_lines(present: Baseline | None, version: str) -> list[str]:
    """Where no threshold was given. present: the baseline that the model version has, None without any."""
    if present is not None and present.threshold is not None:
        return [
            f"threshold   {present.threshold:.4g}, as in the present baseline of {version}: no --threshold was given"
        ]
    return [
        f"warning     no --threshold, and {version} has no baseline with one: positive decisions will not be monitored"
    ]


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(str(value))
