"""Encoder blocks: what a fitted pipeline does to its columns, as tables that numpy runs (contracts.encoder).

Only what is known to be repeated exactly is translated; anything else raises NotCompilable.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from contracts.encoder import Block, Codes, Fill, Numbers, OneHot, Scale
from contracts.schema import FeatureSchema
from training.errors import NotCompilable


def encoder_blocks(preparation: Sequence[Any], schema: FeatureSchema) -> tuple[Block, ...]:
    """The blocks of a pipeline's steps before its model. Raises NotCompilable."""
    if len(preparation) == 1 and isinstance(preparation[0], ColumnTransformer):
        blocks: list[Block] = []
        for _, step, columns in preparation[0].transformers_:
            if not (isinstance(step, str) and step == "drop"):
                blocks += _blocks(_steps(step), _positions(columns, schema), schema)
        return tuple(blocks)
    steps = [step for part in preparation for step in _steps(part)]
    return tuple(_blocks(steps, tuple(range(len(schema.features))), schema))


def _steps(step: Any) -> list[Any]:
    """A pipeline's parts, without those that do nothing."""
    if isinstance(step, Pipeline):
        return [part for _, inner in step.steps for part in _steps(inner)]
    nothing = step is None or (isinstance(step, str) and step == "passthrough")
    nothing = nothing or (isinstance(step, FunctionTransformer) and step.func is None and not step.validate)
    return [] if nothing else [step]


def _positions(columns: Any, schema: FeatureSchema) -> tuple[int, ...]:
    """A ColumnTransformer's choice of columns. It was fitted to a frame with the schema's columns in order."""
    if isinstance(columns, str) or not isinstance(columns, Sequence | np.ndarray):
        raise NotCompilable(f"its columns are chosen by {columns!r}: name them in a list")
    chosen = list(columns)
    if all(isinstance(column, str) for column in chosen):
        return tuple(schema.names.index(column) for column in chosen)
    if all(isinstance(column, int | np.integer) and not isinstance(column, bool) for column in chosen):
        return tuple(range(len(schema.names))[column] for column in chosen)
    raise NotCompilable("its columns are chosen neither by name nor by number")


def _blocks(steps: list[Any], positions: tuple[int, ...], schema: FeatureSchema) -> list[Block]:
    if not positions:
        return []
    if len(steps) == 1 and isinstance(steps[0], OneHotEncoder | OrdinalEncoder):
        return [_levels(steps[0], at, i) for i, at in enumerate(positions)]
    texts = [schema.names[i] for i in positions if schema.features[i].kind == "categorical"]
    if texts:
        raise NotCompilable(f"feature {texts[0]!r} is categorical and goes into the model as it is")
    return [Numbers(positions, tuple(_number_step(step) for step in steps))]


def _number_step(step: Any) -> Fill | Scale:
    if isinstance(step, SimpleImputer) and isinstance(step.missing_values, float) and math.isnan(step.missing_values):
        values = np.asarray(step.statistics_, dtype=np.float64)
        if np.isnan(values).any():
            raise NotCompilable("a column had no value at all when the imputer was fitted")
        gaps = step.indicator_.features_ if step.add_indicator else ()
        return Fill(tuple(values.tolist()), tuple(int(gap) for gap in gaps))
    if isinstance(step, StandardScaler):
        columns = step.n_features_in_
        mean: npt.NDArray[Any] = step.mean_ if step.with_mean else np.zeros(columns)
        scale: npt.NDArray[Any] = step.scale_ if step.with_std else np.ones(columns)
        return Scale(tuple(mean.tolist()), tuple(scale.tolist()))
    raise NotCompilable(f"a {type(step).__name__} prepares its numbers")


def _levels(encoder: Any, feature: int, i: int) -> OneHot | Codes:
    levels = tuple(None if _is_nan(level) else level for level in encoder.categories_[i].tolist())
    if not all(level is None or isinstance(level, str) for level in levels):
        raise NotCompilable("a level is not a text")
    if encoder.min_frequency is not None or encoder.max_categories is not None:
        raise NotCompilable("rare levels are grouped (min_frequency, max_categories)")
    if isinstance(encoder, OneHotEncoder):
        if encoder.handle_unknown != "ignore" or encoder.drop is not None:
            raise NotCompilable('its OneHotEncoder has not handle_unknown="ignore" and drop=None')
        return OneHot(feature, levels)
    if encoder.handle_unknown != "use_encoded_value":
        raise NotCompilable('its OrdinalEncoder has not handle_unknown="use_encoded_value"')
    missing = float(encoder.encoded_missing_value)
    codes = tuple(missing if level is None else float(code) for code, level in enumerate(levels))
    return Codes(feature, levels, codes, float(encoder.unknown_value))


def _is_nan(level: Any) -> bool:
    return isinstance(level, float) and math.isnan(level)
