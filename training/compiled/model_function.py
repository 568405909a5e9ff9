"""Model function: a fitted estimator's trees or coefficients as tables (contracts.compiled).

Reads private attributes of scikit-learn (`_predictors`, `_baseline_prediction`): that is why training compares scores
before it writes a compiled form. To add an estimator: a function, and a line in `model_function`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.utils import get_tags

from contracts.compiled import Forest, Linear, Link, Refuses
from contracts.trees import TreeArrays, TreeTables
from training.errors import NotCompilable

_IDENTITY_LOSSES = ("squared_error", "absolute_error", "quantile")


class Function(NamedTuple):
    """See contracts.compiled.Compiled."""

    function: Forest | Linear
    link: Link
    refuses: Refuses


class _Tree(NamedTuple):
    """One tree; children count from 0 within it. leaf: bool, one a node."""

    leaf: npt.NDArray[np.bool_]
    feature: npt.NDArray[Any]
    threshold: npt.NDArray[np.float64]
    missing_left: npt.NDArray[Any]
    left: npt.NDArray[Any]
    right: npt.NDArray[Any]
    value: npt.NDArray[np.float64]
    cover: npt.NDArray[Any]


def model_function(model: Any) -> Function:
    """What a fitted estimator computes from its columns. Raises NotCompilable."""
    if isinstance(model, HistGradientBoostingClassifier | HistGradientBoostingRegressor):
        return _boosting(model)
    if isinstance(model, RandomForestClassifier | ExtraTreesClassifier | RandomForestRegressor | ExtraTreesRegressor):
        return _forest(model)
    if type(model) in (LogisticRegression, LinearRegression, Ridge):
        return _linear(model)
    raise NotCompilable(f"a {type(model).__name__} has no compiled form")


def _boosting(model: Any) -> Function:
    regressor = isinstance(model, HistGradientBoostingRegressor)
    if regressor and model.loss not in _IDENTITY_LOSSES:
        raise NotCompilable(f"its loss is {model.loss!r}")
    if model.is_categorical_ is not None and model.is_categorical_.any():
        raise NotCompilable("it splits on categories natively (categorical_features)")
    if any(len(stage) != 1 for stage in model._predictors):
        raise NotCompilable("it has more than two classes")
    trees = [_boosted(stage[0].nodes) for stage in model._predictors]
    tables, constant = _tables(trees)
    base = float(np.ravel(model._baseline_prediction)[0]) + constant
    return Function(Forest(tables, base), "identity" if regressor else "logistic", "nothing")


def _boosted(nodes: npt.NDArray[Any]) -> _Tree:
    return _Tree(
        nodes["is_leaf"].astype(bool),
        nodes["feature_idx"],
        nodes["num_threshold"],
        nodes["missing_go_to_left"],
        nodes["left"],
        nodes["right"],
        nodes["value"],
        nodes["count"],
    )


def _forest(model: Any) -> Function:
    if model.n_outputs_ != 1 or getattr(model, "n_classes_", 2) != 2:
        raise NotCompilable("it has not two classes, or more than one output")
    column = 1 if hasattr(model, "classes_") else 0
    tables, constant = _tables([_grown(estimator.tree_, column) for estimator in model.estimators_])
    takes_nan = get_tags(model.estimators_[0]).input_tags.allow_nan
    forest = Forest(tables, constant, float(len(model.estimators_)), narrow=True)
    return Function(forest, "identity", "infinite" if takes_nan else "not finite")


def _grown(tree: Any, column: int) -> _Tree:
    leaf = tree.children_left < 0
    return _Tree(
        leaf,
        tree.feature,
        tree.threshold,
        tree.missing_go_to_left,
        tree.children_left,
        tree.children_right,
        tree.value[:, 0, column],
        tree.weighted_n_node_samples,
    )


def _linear(model: Any) -> Function:
    coefficients, intercept = np.ravel(model.coef_), np.ravel(model.intercept_)
    logistic = hasattr(model, "classes_")
    if len(intercept) != 1 or (logistic and len(model.classes_) != 2) or len(coefficients) != model.n_features_in_:
        raise NotCompilable("it has not two classes, or more than one output")
    function = Linear(tuple(coefficients.tolist()), float(intercept[0]))
    return Function(function, "logistic" if logistic else "identity", "not finite")


def _tables(trees: Sequence[_Tree]) -> tuple[TreeTables, float]:
    """The trees one after the other, and the sum of those that are a single leaf."""
    constant = sum(float(tree.value[0]) for tree in trees if tree.leaf[0])
    split = [tree for tree in trees if not tree.leaf[0]]
    if not split:
        raise NotCompilable("none of its trees has a split: it gives every row the same score")
    starts = np.cumsum([0] + [len(tree.leaf) for tree in split[:-1]])
    leaf = np.concatenate([tree.leaf for tree in split])
    arrays = TreeArrays(
        roots=starts.astype(np.int32),
        feature=np.where(leaf, -1, _all(split, "feature").astype(np.int64)).astype(np.int32),
        threshold=np.where(leaf, 0.0, _all(split, "threshold")),
        missing_left=np.where(leaf, 0, _all(split, "missing_left")).astype(np.uint8),
        left=_children(split, "left", starts, leaf),
        right=_children(split, "right", starts, leaf),
        value=np.where(leaf, _all(split, "value"), 0.0),
        cover=_all(split, "cover").astype(np.float64),
    )
    return TreeTables.of(arrays), constant


def _children(trees: Sequence[_Tree], side: str, starts: npt.NDArray[Any], leaf: npt.NDArray[np.bool_]) -> Any:
    moved = [getattr(tree, side).astype(np.int64) + start for tree, start in zip(trees, starts, strict=True)]
    return np.where(leaf, 0, np.concatenate(moved)).astype(np.int32)


def _all(trees: Sequence[_Tree], field: str) -> npt.NDArray[Any]:
    return np.concatenate([getattr(tree, field) for tree in trees])
