"""Figures: they show what they say, choose nothing, and a training can do without the costly ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn.base import clone

from contracts.outcomes import Costs
from tests.unit.training.rows import described, some_loans
from training.configuration.config import Config, EstimatorChoice, Search, Span, Threshold, read_config
from training.configuration.presentation import Pictures
from training.data.samples import Samples, load
from training.errors import ConfigError
from training.fitting.folds import TRAINING_AUC
from training.fitting.stopwatch import Stopwatch
from training.fitting.tune import Tuned, prepare, tune
from training.pictures.curves import Ground, learning_curve, validation_curve, values_of
from training.pictures.figures_tuned import confusion, curve_figure, threshold_costs
from training.pictures.importance import balanced, importance
from training.pictures.pictured import pictured

SPAN = Span(low=1e-4, high=10.0, log=True)
CONFIG = Config(
    model="loans",
    data="",
    seed=4,
    jobs=1,
    folds=4,
    estimator=EstimatorChoice(name="logistic"),
    search=Search(space={"C": SPAN}, candidates=3, folds=2),
    threshold=Threshold(rule="cost"),
)
PLAIN = {"roc.png", "precision_recall.png", "calibration.png", "scores.png", "confusion.png", "threshold_costs.png"}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    return load(described(tmp_path_factory.mktemp("loans"), some_loans(900)))


@pytest.fixture(scope="module")
def tuned(samples: Samples) -> Tuned:
    return tune(samples, CONFIG, prepare(samples, CONFIG, Stopwatch()), Stopwatch())


@pytest.fixture(scope="module")
def ground(samples: Samples, tuned: Tuned) -> Ground:
    rows = tuned.parts.train
    return Ground(clone(tuned.fitted.pipeline), samples.features.iloc[rows], samples.labels[rows], 4, 1)


def changed(**changes: Any) -> Config:
    return msgspec.structs.replace(CONFIG, **changes)


def test_every_figure_is_drawn_without_a_display(samples: Samples, tuned: Tuned, tmp_path: Path) -> None:
    found = pictured(samples, CONFIG, tuned, Stopwatch())
    assert set(found.figures) >= PLAIN | {"importance.png", "learning_curve.png", "validation_curve.png"}
    for name, figure in found.figures.items():
        figure.savefig(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    assert set(found.importance) == set(samples.schema.names)


def test_what_costs_fits_can_be_left_out(samples: Samples, tuned: Tuned) -> None:
    config = changed(pictures=Pictures(curves=False, importance=0))
    found = pictured(samples, config, tuned, Stopwatch())
    assert set(found.figures) == PLAIN
    assert found.importance == {}


def test_without_a_search_there_is_no_parameter_to_draw_by(samples: Samples, tuned: Tuned) -> None:
    found = pictured(samples, changed(search=None, pictures=Pictures(importance=0)), tuned, Stopwatch())
    assert set(found.figures) == PLAIN | {"learning_curve.png"}


def test_too_few_rows_for_importance_are_an_error_that_names_the_field(tmp_path: Path) -> None:
    (tmp_path / "training.yaml").write_text("model: loans\ndata: .\npictures: {importance: 5}\n")
    with pytest.raises(ConfigError, match=r"pictures: importance is 5: give 100 to 100000 rows, or 0 for none"):
        read_config(tmp_path / "training.yaml")


def test_the_learning_curve_ends_with_the_cross_validation(ground: Ground, tuned: Tuned) -> None:
    curve = learning_curve(ground, tuned.folds)
    assert [point.at for point in curve.points] == [41, 123, 405]
    assert curve.points[-1].validation == tuple(fold["auc"] for fold in tuned.folds)
    assert curve.points[-1].training == tuple(fold[TRAINING_AUC] for fold in tuned.folds)


def test_few_rows_are_learnt_by_heart(ground: Ground, tuned: Tuned) -> None:
    gaps = [np.mean(point.training) - np.mean(point.validation) for point in learning_curve(ground, tuned.folds).points]
    assert gaps[0] > gaps[-1]


def test_a_share_that_holds_too_few_of_a_class_is_left_out(ground: Ground, tuned: Tuned) -> None:
    keep = np.concatenate([np.flatnonzero(ground.labels == 0), np.flatnonzero(ground.labels == 1)[:24]])
    rare = Ground(ground.pipeline, ground.features.iloc[keep], ground.labels[keep], 4, 1)
    assert len(learning_curve(rare, tuned.folds).points) == 2  # 16 positives in each fold's fit: 2, 5, 16


def test_the_validation_curve_goes_from_one_end_of_the_span_to_the_other(ground: Ground) -> None:
    assert CONFIG.search is not None
    curve = validation_curve(ground, CONFIG.search)
    assert curve is not None
    assert (curve.x, curve.log) == ("C", True)
    assert [point.at for point in curve.points] == list(values_of(SPAN))
    assert {len(point.validation) for point in curve.points} == {3}
    assert curve_figure(curve, "title").axes[0].get_xscale() == "log"


def test_a_space_without_a_span_has_no_validation_curve(ground: Ground) -> None:
    assert validation_curve(ground, Search(space={"C": (0.1, 1.0)})) is None


def test_whole_numbers_stay_whole() -> None:
    assert values_of(Span(low=1, high=2)) == (1, 2)
    assert values_of(Span(low=0.0, high=3.0)) == (0.0, 1.0, 2.0, 3.0)


def test_a_value_that_cannot_be_fitted_is_one_line_that_names_the_field(ground: Ground) -> None:
    with pytest.raises(ConfigError, match=r"pictures\.curves: no fit at -1") as caught:
        validation_curve(ground, Search(space={"C": Span(low=-1.0, high=1.0)}))
    assert "\n" not in str(caught.value)


def test_what_the_model_needs_is_important_and_what_it_does_not_use_is_not(samples: Samples, tuned: Tuned) -> None:
    rows = tuned.parts.test
    found = importance(tuned.fitted.pipeline, samples.features.iloc[rows], samples.labels[rows], 180, 4)
    assert next(iter(found)) == "income"
    assert found["income"] > 0.1
    assert abs(found["owner"]) < 0.03
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_a_rare_class_is_asked_whole() -> None:
    labels = (np.arange(10_000) % 1_000 == 0).astype(np.int64)
    asked = balanced(labels, 200, 0)
    assert labels[asked].sum() == 10
    assert len(asked) == 110
    assert (np.diff(asked) > 0).all()


def test_the_matrix_of_decisions_counts_every_row() -> None:
    labels, decided = np.array([0, 0, 0, 1, 1]), np.array([False, True, True, True, False])
    texts = [text.get_text() for text in confusion(labels, decided).axes[0].texts]
    assert texts == ["1\n33.3%", "2\n66.7%", "1\n50.0%", "1\n50.0%"]


def test_costs_are_drawn_by_threshold() -> None:
    labels, scores = np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.4])
    line = threshold_costs(labels, scores, 0.3, Costs(false_negative=3.0)).axes[0].lines[0]
    tried, drawn = line.get_xdata(), line.get_ydata()
    np.testing.assert_allclose(np.interp([0.1, 0.4], tried, drawn), [0.5, 0.75])
    assert min(drawn) == 0.0
    assert 0.2 < tried[int(np.argmin(drawn))] <= 0.3
