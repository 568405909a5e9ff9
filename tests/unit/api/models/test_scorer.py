import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from api.errors import ModelRefused, ScoringFailed
from api.models.scorer import FrameScorer
from api.models.served import prepare, score_each
from api.models.version import ModelVersion
from contracts.schema import Feature, FeatureSchema
from tests.builders import NOON, a_baseline, a_fitted_pipeline, a_schema, reference_columns
from tests.serving import FUTURE, FirstNumberScorer

SCHEMA = FeatureSchema((Feature("distance", "numeric"), Feature("carrier", "categorical"), Feature("late", "boolean")))
ROWS = SCHEMA.features_type(strict=True)


def row(distance: float | None = None, carrier: str | None = None, late: bool | None = None) -> msgspec.Struct:
    return ROWS(f0=distance, f1=carrier, f2=late)


class FrameKeeper:
    """A regressor that keeps what it is given."""

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        self.frame = frame
        return np.zeros((len(frame), 1))


def test_scores_are_the_models_own():
    columns = reference_columns(SCHEMA, 40)
    rows = [row(*values) for values in zip(*columns.values(), strict=True)]
    frame = pd.DataFrame(columns).astype({"carrier": "str", "late": "float64"})
    pipeline = a_fitted_pipeline(SCHEMA)

    scores = FrameScorer(pipeline, SCHEMA).score(rows)

    assert scores.dtype == np.float64
    np.testing.assert_array_equal(scores, pipeline.predict_proba(frame)[:, 1])


def test_the_frame_is_the_one_that_the_contract_describes():
    keeper = FrameKeeper()

    scores = FrameScorer(keeper, SCHEMA).score([row(1, "nan", True), row()])

    assert scores.shape == (2,)
    assert keeper.frame.dtypes.astype(str).to_dict() == {"distance": "float64", "carrier": "str", "late": "float64"}
    assert keeper.frame.isna().sum(axis=1).tolist() == [0, 3]
    assert keeper.frame.iloc[0].to_list() == [1.0, "nan", 1.0]


def test_a_column_that_is_missing_throughout_keeps_its_type():
    keeper = FrameKeeper()
    FrameScorer(keeper, SCHEMA).score([row()])

    assert keeper.frame.dtypes.astype(str).to_list() == ["float64", "str", "float64"]


def test_a_regressor_is_scored_by_its_prediction():
    model = make_pipeline(LinearRegression()).fit(pd.DataFrame({"x": [0.0, 1.0]}), [0.0, 2.0])
    schema = FeatureSchema((Feature("x", "numeric"),))
    rows = schema.features_type(strict=True)

    scorer = FrameScorer(model, schema)

    assert scorer.kind == "predict"
    assert scorer.score([rows(f0=3.0)]).tolist() == pytest.approx([6.0])


def test_a_classifier_of_three_classes_is_refused():
    with pytest.raises(ModelRefused, match="3 classes, it must have 2"):
        FrameScorer(DummyClassifier().fit([[0]] * 3, [0, 1, 2]), SCHEMA)


def test_something_that_predicts_nothing_is_refused():
    with pytest.raises(ModelRefused, match="a dict has neither predict_proba nor predict"):
        FrameScorer({}, SCHEMA)


def test_a_forest_is_scored_on_one_thread():
    forest = make_pipeline(RandomForestClassifier(2, n_jobs=2)).fit([[0], [1]], [0, 1])

    FrameScorer(forest, SCHEMA)

    assert forest.steps[0][1].n_jobs == 1


def test_whatever_a_model_raises_is_a_scoring_failure():
    with pytest.raises(ScoringFailed, match="The model failed: ValueError"):
        FrameScorer(a_fitted_pipeline(a_schema()), SCHEMA).score([row(1, "a", True)])


def test_a_row_that_fails_is_found_among_its_neighbours_by_halving():
    scorer = FirstNumberScorer()
    rows = [row(float(n)) for n in (*range(63), -1)]

    scores = score_each(scorer, rows)

    assert scores[:63] == [n / 100 for n in range(63)]
    assert isinstance(scores[63], ScoringFailed)
    assert len(scorer.batches) == 13  # 2 * log2(64) + 1


def test_a_version_that_cannot_score_its_own_schema_is_refused():
    model = ModelVersion("flights", "1", a_baseline(schema=SCHEMA), a_fitted_pipeline(a_schema()))

    with pytest.raises(ModelRefused, match="flights/1 cannot score a row of its own schema"):
        prepare(model, NOON, FUTURE)


def test_a_version_is_ready_once_it_has_scored_its_example():
    model = ModelVersion("flights", "1", a_baseline(schema=SCHEMA), a_fitted_pipeline(SCHEMA), cached=True)

    served = prepare(model, NOON, FUTURE)

    assert (served.key, served.since, served.cached, served.scorer.kind) == ("flights/1", NOON, True, "predict_proba")
