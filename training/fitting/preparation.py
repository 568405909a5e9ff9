"""Preparation: what happens to columns before a classifier gets them: missing numbers, scale, encoding of levels."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from training.configuration.config import Preparation


def settled(asked: Preparation, default: Preparation) -> Preparation:
    """What was asked for, and the default where nothing was."""
    return replace(
        default,
        impute=asked.impute or default.impute,
        scale=default.scale if asked.scale is None else asked.scale,
        encode=asked.encode or default.encode,
    )


def numbers_step(how: Preparation) -> Any:
    """Of numeric and boolean columns."""
    steps = [] if how.impute in (None, "keep") else [_filled(how.impute)]
    steps += [StandardScaler()] if how.scale else []
    if not steps:
        return "passthrough"
    return steps[0] if len(steps) == 1 else make_pipeline(*steps)


def levels_step(how: Preparation) -> Any:
    """Of categorical columns."""
    if how.encode == "one_hot":
        return OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    # Trees split on codes as well as on 0/1 columns, six times as fast. A level that was never seen is -1, and NaN
    # stays NaN, which the trees send down a branch of its own.
    missing = {} if how.impute in (None, "keep") else {"encoded_missing_value": -2}
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, **missing)


def _filled(how: str) -> Any:
    strategy = {"strategy": "constant", "fill_value": 0.0} if how == "zero" else {"strategy": how}
    return SimpleImputer(**strategy, add_indicator=True, keep_empty_features=True)
