"""Values to ask a model about: one for each group of a feature's values, and some that the reference never had."""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt
import pandas as pd

from contracts.binning import Bins, Floats, Levels

GROUPS = 20
"""Groups of equal mass. A feature of few values is asked about at each of them."""
BEYOND = (2.0, 10.0)
"""How far outside the reference's range, in standard deviations: what a small drift reaches, and a broken unit."""
_FEW = 24

Value = float | str | npt.NDArray[np.float64] | npt.NDArray[np.object_]
"""One value for all rows of the sample, or an array with one for each of them."""


def numbers(bins: Bins, values: Floats) -> Floats:
    """Rising: below the range, the lowest value, the median member of each group, the highest, above the range.

    values: of rows that the model is asked about, NaN left out of account. All but those outside the range are values
    that rows really have: between them a model may never have been.
    """
    known = np.sort(values[~np.isnan(values)])
    ends = np.array([bins.lowest, bins.highest])
    distinct = np.unique(known)
    if distinct.size > _FEW:
        distinct = known[((np.arange(GROUPS) + 0.5) / GROUPS * known.size).astype(np.intp)]
    with np.errstate(over="ignore", invalid="ignore"):  # values may be as large as floats get
        spread = float(known.std()) if known.size else 0.0
        reach = np.array(BEYOND) * (spread or max(1.0, *np.abs(ends)))
        outside = np.nan_to_num(np.concatenate([ends[0] - reach, ends[1] + reach]), nan=0.0)
    asked = np.concatenate([distinct, ends, np.clip(outside, -sys.float_info.max, sys.float_info.max)])
    return np.unique(asked + 0.0)


def levels(bins: Levels, column: pd.Series, rows: int, generator: np.random.Generator) -> list[Value | None]:
    """One value for each bin, None where there is nothing to ask. column: of the rows that the model is asked about.

    OTHER is asked about as it is mixed: each of the sample's `rows` gets one of its levels. Booleans are 1.0 and 0.0,
    as in a feature frame, and have no unseen level.
    """
    if column.dtype == np.float64:
        return [*(float(level == "true") for level in bins.levels), None, None]
    rest = column[column.isin(bins.rest)].to_numpy(dtype=object)
    mixed = generator.choice(rest if rest.size else np.array(bins.rest, dtype=object), rows) if bins.rest else None
    unseen = "never seen"
    while unseen in bins.levels or unseen in bins.rest:
        unseen += "!"
    return [*bins.levels, mixed, unseen]
