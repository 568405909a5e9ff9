"""Estimators by name or by import path, and whether parameters are theirs: said before anything is fitted."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from sklearn.base import is_classifier
from sklearn.utils import get_tags
from sklearn.utils._param_validation import InvalidParameterError

from training.configuration.config import EstimatorChoice, Preparation, Scalar, Search, Span
from training.errors import ConfigError, UnknownEstimator
from training.fitting.pipeline import ESTIMATORS, Estimator
from training.fitting.preparation import settled

_OTHERS = Preparation(impute="median", scale=True, encode="one_hot")
"""Of a classifier that nothing is known of: any one takes such columns."""


def find_estimator(name: str) -> Estimator:
    """By its name in the table, or by the import path of a class: package.module:Class. Raises UnknownEstimator."""
    for estimator in ESTIMATORS:
        if estimator.name == name:
            return estimator
    known = ", ".join(estimator.name for estimator in ESTIMATORS)
    how = f"choose one of {known}, or give the import path of a classifier, package.module:Class"
    module, _, member = name.rpartition(":") if ":" in name else name.rpartition(".")
    if not module or not member:
        raise UnknownEstimator(f"no estimator {name!r}: {how}")
    try:
        made = getattr(importlib.import_module(module), member)
        one = made()
    except ModuleNotFoundError as error:
        raise UnknownEstimator(f"estimator {name!r}: there is no module {error.name!r} here: {how}") from error
    except AttributeError as error:
        raise UnknownEstimator(f"estimator {name!r}: module {module} has no {member!r}: {how}") from error
    except Exception as error:  # the module and the class are a user's own
        raise UnknownEstimator(f"estimator {name!r} cannot be made: {_short(error)}") from error
    if not (hasattr(one, "get_params") and is_classifier(one) and hasattr(one, "predict_proba")):
        raise UnknownEstimator(f"{name!r} is no scikit-learn classifier with predict_proba: {how}")
    return Estimator(name, _OTHERS, lambda seed: _seeded(made(), seed))


def check_choice(choice: EstimatorChoice, prepare: Preparation, search: Search | None) -> Estimator:
    """The estimator, with everything that is asked of it in order. Raises UnknownEstimator and ConfigError."""
    found = find_estimator(choice.name)
    one = found.classifier(0)
    _check_params(one, choice.params, "estimator.params", choice.name)
    if settled(prepare, found.prepare).impute == "keep" and not get_tags(one).input_tags.allow_nan:
        raise ConfigError(f"prepare.impute is keep, and {choice.name} takes no missing values: use median")
    if search is not None:
        one = one.set_params(**choice.params)
        for name, values in search.space.items():
            for value in (values.low, values.high) if isinstance(values, Span) else values:
                _check_params(one, {name: value}, "search.space", choice.name)
    return found


def _check_params(one: Any, params: Mapping[str, Scalar], field: str, name: str) -> None:
    known = one.get_params(deep=False)
    for param, value in params.items():
        if param not in known:
            raise ConfigError(f"{field}.{param}: {name} has no such parameter: {', '.join(sorted(known))}")
        tried = type(one)(**{**known, param: value})
        try:
            if hasattr(tried, "_validate_params"):  # of scikit-learn's own; others say it when they are rehearsed
                tried._validate_params()
        except InvalidParameterError as error:
            raise ConfigError(f"{field}.{param}: {_short(error, name=False)}") from error


def _seeded(one: Any, seed: int) -> Any:
    return one.set_params(random_state=seed) if "random_state" in one.get_params(deep=False) else one


def _short(error: Exception, *, name: bool = True) -> str:
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}" if name else text
