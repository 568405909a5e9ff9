"""A compiled form gives the model's own scores on any row, or it is not written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from contracts.compiled import EXPORT_TOLERANCE, Compiled
from contracts.compiled_scorer import CompiledScorer, largest_difference
from contracts.encoder import Encoder, Row
from contracts.schema import Feature, FeatureSchema
from tests.unit.training.rows import DESCRIPTION, some_loans
from training.compiled.encoder_blocks import encoder_blocks
from training.compiled.export import Export, export, frame_of
from training.compiled.poison import HUGE, poisoned_rows, rows_of
from training.data.columns import feature_frame, labels_of
from training.fitting.calibrate import Method, calibrated
from training.fitting.pipeline import ESTIMATORS, build_pipeline, scores_of

SCHEMA = DESCRIPTION.schema
every_estimator = pytest.mark.parametrize("name", [estimator.name for estimator in ESTIMATORS])

NUMBERS, LEVELS = ["income", "owner"], ["region"]
CODES = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
ONE_HOT = OneHotEncoder(handle_unknown="ignore", sparse_output=False)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Several wait for one another spinning, seconds for a fit, where other tests run."""
    with threadpool_limits(1, "openmp"):
        yield


def loans(rows: int = 500, seed: int = 1) -> tuple[pd.DataFrame, Any]:
    table = some_loans(rows, seed)
    return feature_frame(table, SCHEMA), labels_of(table, "defaulted")


def exported(model: Any, reference: pd.DataFrame, schema: FeatureSchema = SCHEMA) -> Export:
    return export(model, schema, reference, model="loans", version="1", seed=3)


def compiled(model: Any, reference: pd.DataFrame, schema: FeatureSchema = SCHEMA) -> Compiled:
    found = exported(model, reference, schema)
    assert found.compiled is not None, found.said
    return found.compiled


def fitted(numbers: Any, levels: Any, model: Any, rows: int = 500) -> Any:
    features, labels = loans(rows)
    prepare = ColumnTransformer([("numbers", numbers, NUMBERS), ("levels", levels, LEVELS)], sparse_threshold=0)
    return Pipeline([("prepare", prepare), ("model", model)]).fit(features, labels)


def differs(model: Any, form: Compiled, rows: list[Row]) -> float:
    own = scores_of(model, frame_of(rows, SCHEMA)).tolist()
    return largest_difference(CompiledScorer(form).score, rows, own)


@every_estimator
def test_every_estimator_of_training_has_a_compiled_form_that_says_how_near_it_is(name: str) -> None:
    features, labels = loans()
    said = exported(build_pipeline(name, SCHEMA, 0).fit(features, labels), features).said
    assert re.fullmatch(r"compiled-(trees|linear), within \S+ of the model's own scores on 4,000 rows", said), said


@every_estimator
def test_the_encoding_is_the_pipelines_own_to_the_last_bit(name: str) -> None:
    features, labels = loans()
    prepare = build_pipeline(name, SCHEMA, 0).fit(features, labels)[0]
    rows = poisoned_rows(features, SCHEMA, 500, np.random.default_rng(0))
    encoded = Encoder(encoder_blocks([prepare], SCHEMA), 3).encode(rows)
    np.testing.assert_array_equal(encoded, prepare.transform(frame_of(rows, SCHEMA)), strict=True)


@every_estimator
@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_a_calibrated_model_has_a_compiled_form_with_the_calibrated_scores(name: str, method: Method) -> None:
    features, labels = loans()
    pipeline = build_pipeline(name, SCHEMA, 0).fit(features, labels)
    model = calibrated(pipeline, method, *loans(seed=2))
    form = compiled(model, features)
    assert type(form.calibration).__name__.lower() == method
    rows = poisoned_rows(features, SCHEMA, 200, np.random.default_rng(1))
    assert differs(model, form, rows) <= EXPORT_TOLERANCE
    assert differs(pipeline, form, rows) > 1e-3


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    name=st.sampled_from([estimator.name for estimator in ESTIMATORS]),
    size=st.integers(60, 300),
)
def test_random_models_score_poisoned_rows_as_their_compiled_forms_do(seed: int, name: str, size: int) -> None:
    rng = np.random.default_rng(seed)
    features, labels = loans(size, seed)
    pipeline = build_pipeline(name, SCHEMA, seed)
    if name == "hgb":
        leaves = int(rng.integers(2, 20))
        pipeline["classify"].set_params(max_iter=int(rng.integers(1, 12)), max_leaf_nodes=leaves, min_samples_leaf=5)
    if name == "forest":
        pipeline["classify"].set_params(n_estimators=int(rng.integers(1, 9)), min_samples_leaf=int(rng.integers(1, 9)))
    form = compiled(pipeline.fit(features, labels), features)
    rows = poisoned_rows(features, SCHEMA, 200, rng)
    assert differs(pipeline, form, rows) <= EXPORT_TOLERANCE


@given(
    rows=st.lists(
        st.tuples(
            st.none() | st.floats(allow_nan=False, allow_infinity=False, width=32),
            st.none() | st.text(max_size=6),
            st.none() | st.booleans(),
        ),
        min_size=1,
        max_size=20,
    ),
    name=st.sampled_from(["hgb", "logistic", "forest"]),
)
@settings(max_examples=60, deadline=None)
def test_any_row_that_a_request_may_hold_gets_the_models_own_score(rows: list[Row], name: str) -> None:
    model, form = KNOWN.of(name)
    assert differs(model, form, rows) <= EXPORT_TOLERANCE


class _Known:
    """One fitted model of each kind with its compiled form, made when first asked for."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[Any, Compiled]] = {}

    def of(self, name: str) -> tuple[Any, Compiled]:
        if name not in self._made:
            features, labels = loans()
            model = build_pipeline(name, SCHEMA, 0).fit(features, labels)
            self._made[name] = model, compiled(model, features)
        return self._made[name]


KNOWN = _Known()


def test_a_value_on_a_threshold_goes_the_way_it_goes_in_the_model() -> None:
    for name in ("hgb", "forest"):
        model, form = KNOWN.of(name)
        on = form.function.trees.arrays(100).threshold  # type: ignore[union-attr]
        beside = np.concatenate([on, np.nextafter(on, np.inf), np.nextafter(on, -np.inf)])[:3000]
        assert differs(model, form, [(float(x), "north", True) for x in beside]) <= EXPORT_TOLERANCE


def test_a_forest_refuses_numbers_beyond_float32_and_so_does_its_compiled_form() -> None:
    _, form = KNOWN.of("forest")
    assert [score is None for score in form.sample.scores[-len(HUGE) :]] == [False, False, True, True]


def test_trees_that_never_split_are_part_of_the_constant() -> None:
    forest = fitted(SimpleImputer(), ONE_HOT, RandomForestClassifier(40, min_samples_leaf=33, random_state=0), rows=90)
    single = sum(tree.tree_.node_count == 1 for tree in forest["model"].estimators_)
    assert 0 < single < 40
    assert compiled(forest, loans()[0]).function.base > 0  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "model",
    [
        HistGradientBoostingRegressor(max_iter=4),
        RandomForestRegressor(5, random_state=0),
        ExtraTreesClassifier(5, random_state=0),
        LinearRegression(),
    ],
    ids=lambda model: type(model).__name__,
)
def test_regressors_and_other_forests_are_compiled_too(model: Any) -> None:
    compiled(fitted(SimpleImputer(add_indicator=True), ONE_HOT, model), loans()[0])


def test_a_forest_that_was_fitted_with_missing_values_sends_them_where_it_learnt() -> None:
    model = fitted("passthrough", CODES, RandomForestClassifier(10, random_state=0))
    form = compiled(model, loans()[0])
    assert differs(model, form, [(None, "north", None), (None, None, True), (40.0, None, None)]) <= EXPORT_TOLERANCE


def test_numbers_may_be_prepared_without_a_column_transformer() -> None:
    features, labels = loans()
    schema = FeatureSchema((Feature("income", "numeric"), Feature("owner", "boolean")))
    numbers = features[NUMBERS]
    model = make_pipeline(SimpleImputer(), StandardScaler(with_mean=False), LogisticRegression()).fit(numbers, labels)
    assert compiled(model, numbers, schema).blocks


def test_columns_chosen_by_number_and_those_passed_through_are_followed() -> None:
    features, labels = loans()
    prepare = ColumnTransformer([("levels", CODES, [1]), ("out", "drop", [2])], remainder="passthrough")
    model = make_pipeline(prepare, HistGradientBoostingClassifier(max_iter=3)).fit(features, labels)
    assert len(compiled(model, features).blocks) == 2


def test_a_model_that_refuses_missing_values_is_compiled_and_refuses_them() -> None:
    features, labels = loans()
    prepare = ColumnTransformer([("levels", ONE_HOT, LEVELS)], remainder="passthrough", sparse_threshold=0)
    model = make_pipeline(prepare, LogisticRegression()).fit(features.fillna({"income": 0.0, "owner": 0.0}), labels)
    form = compiled(model, features)
    assert 0 < sum(score is None for score in form.sample.scores) < len(form.sample.scores)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (lambda: fitted(SimpleImputer(), ONE_HOT, GradientBoostingClassifier(n_estimators=2)), "GradientBoosting"),
        (lambda: fitted(MinMaxScaler(), CODES, HistGradientBoostingClassifier(max_iter=2)), "a MinMaxScaler prepares"),
        (
            lambda: fitted("passthrough", CODES, HistGradientBoostingClassifier(max_iter=2, categorical_features=[2])),
            "categories natively",
        ),
        (
            lambda: fitted(
                "passthrough", OneHotEncoder(min_frequency=5, handle_unknown="ignore"), HistGradientBoostingClassifier()
            ),
            "rare levels",
        ),
        (
            lambda: fitted("passthrough", OneHotEncoder(sparse_output=False), HistGradientBoostingClassifier()),
            "handle_unknown",
        ),
        (lambda: fitted("passthrough", CODES, HistGradientBoostingRegressor(loss="poisson")), "loss is 'poisson'"),
        (
            lambda: fitted("passthrough", CODES, HistGradientBoostingClassifier(max_iter=1, min_samples_leaf=400)),
            "none of its trees has a split",
        ),
    ],
)
def test_what_is_not_known_to_be_exact_has_no_compiled_form_and_that_is_said(model: Any, why: str) -> None:
    found = exported(model(), loans()[0])
    assert found.compiled is None
    assert found.said.startswith("no compiled form: ")
    assert why in found.said


def test_a_form_that_differs_from_the_model_is_not_written() -> None:
    class Skewed(LogisticRegression):
        """A model whose scores are not what its coefficients say."""

        def predict_proba(self, rows: Any) -> Any:
            return super().predict_proba(rows) * (1 - 1e-8)

    model = fitted(make_pipeline(SimpleImputer(), StandardScaler()), ONE_HOT, LogisticRegression())
    model["model"].__class__ = Skewed
    assert "a Skewed has no compiled form" in exported(model, loans()[0]).said
    forest = fitted(SimpleImputer(), ONE_HOT, RandomForestClassifier(3, random_state=0))
    forest["model"].estimators_[0].predict_proba = lambda rows, check_input=True: np.full((len(rows), 2), 0.5)
    said = exported(forest, loans()[0]).said
    assert "differ from the model's own by up to" in said


def test_a_linear_model_carries_its_columns_means_where_the_reference_has_them() -> None:
    features, labels = loans()
    one_hot = fitted(make_pipeline(SimpleImputer(), StandardScaler()), ONE_HOT, LogisticRegression())
    means = compiled(one_hot, features).function.means  # type: ignore[union-attr]
    np.testing.assert_allclose(means, one_hot[0].transform(features).mean(axis=0), rtol=0, atol=1e-15)
    assert sum(means[2:]) == pytest.approx(1.0)  # each row has one region
    bare = ColumnTransformer([("levels", ONE_HOT, LEVELS)], remainder="passthrough", sparse_threshold=0)
    whole = features.fillna({"income": 0.0, "owner": 0.0})
    refuses = make_pipeline(bare, LogisticRegression()).fit(whole, labels)
    assert compiled(refuses, whole).function.means  # type: ignore[union-attr]
    assert compiled(refuses, features).function.means == ()  # type: ignore[union-attr]


def test_poison_keeps_to_what_the_schema_allows() -> None:
    features, _ = loans()
    whole = features.fillna({"income": 1.0, "owner": 0.0, "region": "north"})
    strict = FeatureSchema(tuple(Feature(feature.name, feature.kind, nullable=False) for feature in SCHEMA.features))
    rows = poisoned_rows(whole, strict, 300, np.random.default_rng(1))
    assert all(value is not None for row in rows for value in row)
    assert rows[1] in rows_of(whole, strict)
    assert {type(value) for row in rows for value in row} == {float, str, bool}
