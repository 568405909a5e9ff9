"""Calibration: scores become probabilities and rows keep their order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from contracts.model_files import SKOPS_TRUSTED_TYPES
from training.errors import NotCompilable
from training.evaluation.measures import calibration_error
from training.fitting.calibrate import Method, calibrated, uncalibrated
from training.fitting.pipeline import scores_of


def rare(rows: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    draw = np.random.default_rng(seed)
    x = draw.normal(size=rows)
    return pd.DataFrame({"x": x}), (draw.random(rows) < 1 / (1 + np.exp(3.5 - 1.5 * x))).astype(np.int64)


@pytest.fixture(scope="module")
def too_sure() -> object:
    """Balanced class weights: it takes positives for far more frequent than they are."""
    return make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced")).fit(*rare(3000, 0))


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibrated_scores_are_nearer_to_the_truth_and_rank_alike(too_sure: object, method: Method) -> None:
    features, labels = rare(6000, 1)
    model = calibrated(too_sure, method, *rare(3000, 2))
    before, after = scores_of(too_sure, features), scores_of(model, features)
    assert calibration_error(labels, before) > 0.2
    assert calibration_error(labels, after) < 0.02
    assert roc_auc_score(labels, after) == pytest.approx(roc_auc_score(labels, before), abs=0.01)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_a_calibrated_model_file_holds_only_types_that_both_ends_trust(too_sure: object, method: Method) -> None:
    data = skops.io.dumps(calibrated(too_sure, method, *rare(500, 2)))
    assert set(skops.io.get_untrusted_types(data=data)) <= set(SKOPS_TRUSTED_TYPES)


def test_no_calibration_leaves_the_model_as_it_is(too_sure: object) -> None:
    assert calibrated(too_sure, "none", *rare(100, 2)) is too_sure
    assert uncalibrated(too_sure) == (too_sure, None)


def test_several_fits_have_no_single_map(too_sure: object) -> None:
    from sklearn.calibration import CalibratedClassifierCV

    with pytest.raises(NotCompilable, match="several fits"):
        uncalibrated(CalibratedClassifierCV(too_sure, cv=2).fit(*rare(300, 2)))
