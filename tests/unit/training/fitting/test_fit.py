"""Fitting: every estimator takes what the schema allows, is judged by rows it has not seen, and repeats exactly."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score
from threadpoolctl import threadpool_limits

from contracts.model_files import SKOPS_TRUSTED_TYPES
from tests.unit.training.rows import DESCRIPTION, described, some_loans
from training.data.samples import Samples, load
from training.errors import UnknownEstimator
from training.evaluation.measures import best_f1_threshold, evaluate
from training.fitting.fit import Fitted, fit
from training.fitting.pipeline import ESTIMATORS, build_pipeline, scores_of
from training.fitting.stopwatch import Stopwatch
from training.pictures.figures import figures

every_estimator = pytest.mark.parametrize("estimator", [estimator.name for estimator in ESTIMATORS])


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    folder: Path = tmp_path_factory.mktemp("loans")
    return load(described(folder, some_loans(1200)))


@cache
def fitted_once(samples: Samples, estimator: str) -> Fitted:
    return fitted(samples, estimator)


def fitted(samples: Samples, estimator: str = "hgb", seed: int = 5, threshold: float | None = None) -> Fitted:
    return fit(samples, estimator, seed, threshold, Stopwatch())


@every_estimator
def test_an_estimator_learns_what_there_is_to_learn(samples: Samples, estimator: str) -> None:
    assert fitted_once(samples, estimator).metrics["auc"] > 0.75


@every_estimator
def test_an_estimator_takes_missing_values_and_levels_it_never_saw(samples: Samples, estimator: str) -> None:
    pipeline = fitted_once(samples, estimator).pipeline
    strange = pd.DataFrame(
        {
            "income": pd.Series([np.nan, 1e9, -1e9]),
            "region": pd.Series(["the moon", None, ""], dtype="str"),
            "owner": pd.Series([np.nan, 1.0, 0.0]),
        }
    )
    scores = scores_of(pipeline, strange)
    assert ((scores >= 0) & (scores <= 1)).all()


@every_estimator
def test_values_that_are_missing_for_the_first_time_are_scored(estimator: str) -> None:
    whole = pd.DataFrame({"income": np.arange(200.0), "region": pd.Series(["a", "b"] * 100, dtype="str"), "owner": 1.0})
    with threadpool_limits(1, "openmp"):
        pipeline = build_pipeline(estimator, DESCRIPTION.schema, 0).fit(whole, [0, 1] * 100)
        first_time = whole.head(2).assign(region=pd.Series([None, None], dtype="str"), owner=np.nan, income=np.nan)
        assert np.isfinite(scores_of(pipeline, first_time)).all()


@every_estimator
def test_two_runs_with_one_seed_agree_to_the_last_bit(samples: Samples, estimator: str) -> None:
    first, again = fitted_once(samples, estimator), fitted(samples, estimator)
    assert first.metrics == again.metrics
    assert first.threshold == again.threshold
    assert (first.scores == again.scores).all()
    assert first.references == again.references


def test_another_seed_splits_the_rows_otherwise(samples: Samples) -> None:
    assert fitted_once(samples, "hgb").metrics != fitted(samples, seed=6).metrics


@every_estimator
def test_a_model_file_holds_only_types_that_both_ends_trust(samples: Samples, estimator: str) -> None:
    asked = skops.io.get_untrusted_types(data=skops.io.dumps(fitted_once(samples, estimator).pipeline))
    assert set(asked) <= set(SKOPS_TRUSTED_TYPES)


def test_validation_rows_are_a_quarter_and_hold_the_same_share_of_positives(samples: Samples) -> None:
    result = fitted_once(samples, "hgb")
    assert result.fitted_rows == 900
    assert len(result.labels) == 300
    assert result.labels.mean() == pytest.approx(samples.labels.mean(), abs=0.005)


def test_features_are_counted_over_all_rows_and_scores_over_the_unseen_ones(samples: Samples) -> None:
    references = fitted_once(samples, "hgb").references
    assert {reference.histogram.rows for reference in references.features.values()} == {1200}
    assert references.score.histogram.rows == 300


def test_a_threshold_given_is_kept_and_decides_the_positives(samples: Samples) -> None:
    result = fitted(samples, threshold=0.9)
    assert result.threshold == 0.9
    assert result.positives.count == (result.scores >= 0.9).sum()
    assert result.positives.rows == 300


def test_an_unknown_estimator_is_refused_with_the_names_there_are(samples: Samples) -> None:
    with pytest.raises(UnknownEstimator, match="no estimator 'xgb': choose one of hgb, logistic, forest"):
        fitted(samples, "xgb")


def test_the_best_threshold_is_the_one_of_an_exhaustive_search() -> None:
    draw = np.random.default_rng(3)
    labels = (draw.random(300) < 0.2).astype(int)
    scores = np.round(draw.random(300) * 0.6 + labels * 0.3, 2)
    by_search = max(f1_score(labels, scores >= t) for t in np.unique(scores))
    threshold = best_f1_threshold(labels, scores)
    assert f1_score(labels, scores >= threshold) == pytest.approx(by_search)


def test_metrics_agree_with_scikit_learn_called_directly() -> None:
    draw = np.random.default_rng(3)
    labels = (draw.random(500) < 0.3).astype(int)
    scores = draw.random(500) * 0.5 + labels * 0.3
    metrics = evaluate(labels, scores, 0.4)
    decided = scores >= 0.4
    assert metrics["auc"] == roc_auc_score(labels, scores)
    assert metrics["precision_1"] == precision_score(labels, decided)
    assert metrics["recall_0"] == recall_score(1 - labels, ~decided)
    assert metrics["positive_rate"] == decided.mean()
    assert metrics["base_rate"] == labels.mean()


def test_nothing_decided_positively_is_precision_zero_not_an_error() -> None:
    metrics = evaluate(np.array([0, 1]), np.array([0.1, 0.2]), 0.9)
    assert (metrics["precision_1"], metrics["recall_1"], metrics["recall_0"]) == (0.0, 0.0, 1.0)


def test_every_figure_can_be_drawn(samples: Samples, tmp_path: Path) -> None:
    result = fitted_once(samples, "hgb")
    drawn = figures(result.labels, result.scores, result.threshold)
    assert set(drawn) == {"roc.png", "precision_recall.png", "calibration.png", "scores.png"}
    for name, figure in drawn.items():
        figure.savefig(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
