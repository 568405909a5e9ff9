"""Tuning: the same every time, and no choice is made by the test rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from contracts.outcomes import Costs
from tests.unit.training.rows import DESCRIPTION, described, some_loans
from training.compiled.export import export
from training.configuration.config import Config, EstimatorChoice, Search, Span, Split, Threshold
from training.data.samples import Samples, load
from training.errors import ConfigError
from training.evaluation.held_out import HeldOut
from training.evaluation.record import Evaluation
from training.fitting.pipeline import scores_of
from training.fitting.search import plan
from training.fitting.stopwatch import Stopwatch
from training.fitting.tune import Tuned, prepare
from training.fitting.tune import tune as tune_prepared
from training.making.evaluated import evaluation_files, evaluation_of, held_out
from training.registry.records import Version

CONFIG = Config(
    model="loans",
    data="",
    seed=4,
    jobs=1,
    folds=3,
    estimator=EstimatorChoice(name="logistic"),
    search=Search(space={"C": Span(low=1e-4, high=10.0, log=True)}, candidates=9, folds=2),
    calibration="sigmoid",
    threshold=Threshold(rule="cost"),
    costs=Costs(false_negative=3.0),
    segments=("region",),
)


def tune(samples: Samples, config: Config) -> Tuned:
    return tune_prepared(samples, config, prepare(samples, config, Stopwatch()), Stopwatch())


def changed(**changes: Any) -> Config:
    return msgspec.structs.replace(CONFIG, **changes)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    table = some_loans(900)
    return load(described(tmp_path_factory.mktemp("loans"), table), segments=CONFIG.segments)


@pytest.fixture(scope="module")
def tuned(samples: Samples) -> Tuned:
    return tune(samples, CONFIG)


def evaluated(samples: Samples, tuned: Tuned) -> Evaluation:
    fitted, schema = tuned.fitted, samples.schema
    exported = export(fitted.pipeline, schema, samples.features, model="loans", version="1", seed=4)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    version = Version("loans", "1", "m-1")
    return evaluation_of(version, samples, CONFIG, tuned, exported, now=now, code_revision="r", seconds={"fit": 1.0})


def test_a_model_learns_what_there_is_to_learn(tuned: Tuned) -> None:
    assert tuned.metrics["auc"] > 0.75
    assert len(tuned.folds) == 3
    assert all(fold["auc"] > 0.7 for fold in tuned.folds)
    assert (tuned.fitted.fitted_rows, len(tuned.fitted.labels), len(tuned.scores)) == (540, 180, 180)


def test_the_same_data_and_configuration_give_the_same_metrics_and_scores(samples: Samples, tuned: Tuned) -> None:
    again = tune(samples, CONFIG)
    first, second = evaluated(samples, tuned), evaluated(samples, again)
    same = ("data_digest", "scores_digest", "metrics", "validation", "folds", "threshold", "params", "rows", "config")
    assert {name: getattr(first, name) for name in same} == {name: getattr(second, name) for name in same}
    assert (tuned.fitted.scores == again.fitted.scores).all()
    assert held_out(samples, tuned).to_parquet() == held_out(samples, again).to_parquet()


def test_another_seed_gives_another_model(samples: Samples, tuned: Tuned) -> None:
    assert tune(samples, changed(seed=5, search=None)).metrics != tuned.metrics


def test_nothing_is_chosen_by_the_labels_of_the_test_rows(tmp_path: Path) -> None:
    """Split by time, in which labels have no say: exchanged among the test rows, they change the test and no more."""
    table = some_loans(900).assign(at=[f"2026-01-01T{i // 60:02}:{i % 60:02}:00Z" for i in range(900)])
    timed = load(described(tmp_path, table, msgspec.structs.replace(DESCRIPTION, time="at")), timed=True)
    config = changed(split=Split(by="time"), search=None)
    honest = tune(timed, config)
    labels, rows = timed.labels.copy(), honest.parts.test
    assert rows.min() == 720
    labels[rows] = np.random.default_rng(0).permutation(labels[rows])
    other = tune(replace(timed, labels=labels), config)
    assert other.metrics["auc"] < honest.metrics["auc"] - 0.1
    assert other.fitted.threshold == honest.fitted.threshold
    assert other.fitted.metrics == honest.fitted.metrics
    assert other.folds == honest.folds
    assert (other.scores == honest.scores).all()


def test_the_search_ends_with_three_candidates_on_all_rows_and_the_defaults_beside_them(tuned: Tuned) -> None:
    found = tuned.searched
    assert found is not None
    assert found.rounds == (9, 3)
    assert found.default is not None
    assert 1e-4 <= float(found.params["C"]) <= 10  # type: ignore[arg-type]
    used = float(tuned.fitted.params["C"])
    assert used == (found.params["C"] if found.score > found.default else 1.0)


def test_a_rare_class_makes_the_first_round_larger() -> None:
    search = Search(space={"C": (1.0,)}, candidates=27)
    assert plan(search, np.arange(9000) % 2) == (3, 1000)
    assert plan(search, (np.arange(9000) % 50 == 0).astype(np.int64)) == (2, 3000)
    assert plan(msgspec.structs.replace(search, candidates=2), np.arange(9000) % 2) == (1, 9000)


def test_an_evaluation_says_all_that_others_need(samples: Samples, tuned: Tuned) -> None:
    evaluation = evaluated(samples, tuned)
    assert evaluation.rows["train"].rows == 540
    assert evaluation.rows["test"].positives == int(samples.labels[tuned.parts.test].sum())
    assert evaluation.scorer.kind == "compiled-linear"
    assert evaluation.scorer.one_row > 0
    assert evaluation.calibration.method == "sigmoid"
    assert evaluation.threshold_rule == "least cost on the validation rows"
    files = evaluation_files(evaluation, held_out(samples, tuned))
    assert Evaluation.from_bytes(files["evaluation.json"]) == evaluation
    rows = HeldOut.from_parquet(files["test.parquet"], samples.schema)
    np.testing.assert_array_equal(scores_of(tuned.fitted.pipeline, rows.features), rows.scores)


def test_a_search_by_a_score_that_there_is_not_is_one_line(samples: Samples) -> None:
    with pytest.raises(ConfigError) as caught:
        tune(samples, changed(search=Search(space={"C": (1.0, 2.0)}, scoring="roc_auk")))
    assert "search: a candidate cannot be" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_fit_that_has_not_converged_is_told_once_and_not_by_each_candidate(
    samples: Samples, recwarn: pytest.WarningsRecorder
) -> None:
    found = tune(samples, changed(estimator=EstimatorChoice(name="logistic", params={"max_iter": 2})))
    assert [said for said in found.warnings if "converge" in said] == [
        said for said in found.warnings if "fit: " in said
    ]
    assert sum("converge" in said for said in found.warnings) == 1
    assert not [one for one in recwarn if "converge" in str(one.message)]
