"""Estimators: by name or import path; what does not fit is said before anything is fitted for real."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.naive_bayes import GaussianNB

from contracts.compiled import Compiled
from contracts.compiled_scorer import CompiledScorer, largest_difference
from tests.unit.training.rows import DESCRIPTION, some_loans
from training.compiled.export import export
from training.compiled.poison import rows_of
from training.configuration.config import EstimatorChoice, Preparation, Search, Span
from training.data.columns import feature_frame, labels_of
from training.errors import ConfigError, UnknownEstimator
from training.fitting.estimators import check_choice, find_estimator
from training.fitting.pipeline import CLASSIFY, pipeline_of, scores_of
from training.fitting.rehearsal import rehearse

SCHEMA = DESCRIPTION.schema
ME = "tests.unit.training.fitting.test_estimators"


class Broken(ClassifierMixin, BaseEstimator):
    """Fits nothing."""

    def fit(self, rows: Any, labels: Any) -> Broken:
        raise RuntimeError("out of luck")

    def predict_proba(self, rows: Any) -> Any: ...


class Absurd(ClassifierMixin, BaseEstimator):
    """Its probabilities are none."""

    def fit(self, rows: Any, labels: Any) -> Absurd:
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, rows: Any) -> Any:
        return np.full((len(rows), 2), 7.0)


class Foreign(Absurd):
    """In order, but of a type that no api trusts."""

    def predict_proba(self, rows: Any) -> Any:
        return np.full((len(rows), 2), 0.5)


class Demanding(ClassifierMixin, BaseEstimator):
    """Cannot be made without knowing more."""

    def __init__(self, more: int) -> None:
        self.more = more


def loans() -> tuple[Any, Any]:
    table = some_loans()
    return feature_frame(table, SCHEMA), labels_of(table, "defaulted")


@pytest.mark.parametrize("name", ["sklearn.naive_bayes:GaussianNB", "sklearn.naive_bayes.GaussianNB"])
def test_a_classifier_is_found_by_its_import_path(name: str) -> None:
    assert isinstance(find_estimator(name).classifier(3), GaussianNB)


def test_a_classifier_that_draws_gets_the_seed() -> None:
    assert find_estimator("sklearn.ensemble:ExtraTreesClassifier").classifier(7).random_state == 7


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("xgb", "no estimator 'xgb': choose one of hgb, logistic, forest, or give the import path"),
        ("no.such.module:Thing", "there is no module 'no'"),
        ("sklearn.svm:Nothing", "module sklearn.svm has no 'Nothing'"),
        ("sklearn.linear_model:Ridge", "is no scikit-learn classifier with predict_proba"),
        ("sklearn.svm:LinearSVC", "is no scikit-learn classifier with predict_proba"),
        ("collections:OrderedDict", "is no scikit-learn classifier"),
        (f"{ME}:Demanding", "cannot be made: TypeError"),
        (":", "no estimator ':'"),
    ],
)
def test_an_unknown_estimator_is_refused(name: str, says: str) -> None:
    with pytest.raises(UnknownEstimator) as caught:
        find_estimator(name)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("params", "space", "says"),
    [
        ({"depth": 3}, {}, "estimator.params.depth: hgb has no such parameter: "),
        ({"max_iter": -1}, {}, "estimator.params.max_iter: The 'max_iter' parameter"),
        ({"learning_rate": "fast"}, {}, "estimator.params.learning_rate: The 'learning_rate' parameter"),
        ({}, {"n_estimators": (10,)}, "search.space.n_estimators: hgb has no such parameter"),
        ({}, {"learning_rate": Span(low=-1.0, high=1.0)}, "search.space.learning_rate: The 'learning_rate' parameter"),
        ({}, {"max_leaf_nodes": (7, 1)}, "search.space.max_leaf_nodes: The 'max_leaf_nodes' parameter"),
    ],
)
def test_what_does_not_fit_the_estimator_is_named(params: Any, space: Any, says: str) -> None:
    search = Search(space=space) if space else None
    with pytest.raises(ConfigError) as caught:
        check_choice(EstimatorChoice(name="hgb", params=params), Preparation(), search)
    assert says in str(caught.value)


def test_missing_values_are_kept_only_for_those_that_take_them() -> None:
    check_choice(EstimatorChoice(name="hgb"), Preparation(impute="keep"), None)
    with pytest.raises(ConfigError, match=r"prepare\.impute is keep, and logistic takes no missing values"):
        check_choice(EstimatorChoice(name="logistic"), Preparation(impute="keep"), None)


@pytest.mark.parametrize("name", ["hgb", "logistic", "forest", "sklearn.ensemble:ExtraTreesClassifier"])
@pytest.mark.parametrize("impute", ["median", "mean", "zero"])
@pytest.mark.parametrize("encode", ["one_hot", "codes"])
def test_every_preparation_can_be_fitted_and_has_a_compiled_form(name: str, impute: Any, encode: Any) -> None:
    features, labels = loans()
    prepare = Preparation(impute=impute, scale=True, encode=encode)
    choice = EstimatorChoice(name=name, params={} if name == "logistic" else {"random_state": 1})
    found = check_choice(choice, prepare, None)
    pipeline = pipeline_of(found, SCHEMA, 0, choice.params, prepare)
    if name != "logistic":
        pipeline[CLASSIFY].set_params(**({"max_iter": 3} if name == "hgb" else {"n_estimators": 3}))
    pipeline.fit(features, labels)
    form = export(pipeline, SCHEMA, features, model="loans", version="1", seed=0)
    assert isinstance(form.compiled, Compiled), form.said
    own = scores_of(pipeline, features.head(50)).tolist()
    assert largest_difference(CompiledScorer(form.compiled).score, rows_of(features.head(50), SCHEMA), own) < 1e-9


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Broken", "cannot be fitted to these columns: RuntimeError: out of luck"),
        ("Absurd", "gives scores that are no probabilities"),
        ("Foreign", f"needs {ME}.Foreign in its model file, which the api does not trust"),
    ],
)
def test_an_estimator_that_would_fail_later_fails_at_the_rehearsal(name: str, says: str) -> None:
    found = find_estimator(f"{ME}:{name}")
    with pytest.raises(ConfigError) as caught:
        rehearse(pipeline_of(found, SCHEMA, 0), name, *loans())
    assert says in str(caught.value)


def test_a_rehearsal_leaves_the_pipeline_unfitted() -> None:
    pipeline = pipeline_of(find_estimator("logistic"), SCHEMA, 0)
    rehearse(pipeline, "logistic", *loans())
    assert not hasattr(pipeline[CLASSIFY], "coef_")
