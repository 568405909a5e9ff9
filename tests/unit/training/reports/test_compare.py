"""Versions side by side, and a version beside itself made again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.builders import NOON
from tests.gated import an_evaluation, evidence
from training.evaluation.record import Evaluation
from training.fitting.fit import Fitted
from training.fitting.tune import Tuned
from training.making.reproduce import Difference, Reproduced, differences, reproduced_lines
from training.reports.compare import Side, table, test_set_of

test_set_of.__test__ = False  # type: ignore[attr-defined]


def side(version: str, **other: Any) -> Side:
    said: dict[str, Any] = {
        "model": "m",
        "run": "r",
        "aliases": (),
        "created": NOON,
        "data": "loans",
        "data_digest": "d" * 64,
        "code_revision": "abcdef0123456789-dirty",
        "gate": None,
        "test_set": "11111111",
        "test_rows": 100,
        "threshold": 0.5,
        "metrics": {"auc": 0.8, "log_loss": 0.4},
        "folds": (0.7, 0.9),
        "params": {},
    }
    return Side(version=version, **{**said, **other})


def row(lines: list[str], name: str) -> list[str]:
    return next(line for line in lines if line.startswith(f"{name} ")).removeprefix(name).split()


def test_the_best_of_each_metric_is_marked() -> None:
    lines = table([side("1"), side("2", metrics={"auc": 0.9, "log_loss": 0.5})])
    assert row(lines, "auc") == ["0.8000", "0.9000*"]
    assert row(lines, "log_loss") == ["0.4000*", "0.5000"]
    assert row(lines, "folds: auc") == ["0.8000", "±", "0.1414"] * 2
    assert row(lines, "code") == ["abcdef01-dirty"] * 2


def test_nothing_is_marked_where_the_test_rows_differ_and_that_is_said() -> None:
    lines = table([side("1"), side("2", test_set="22222222", metrics={"auc": 0.9, "log_loss": 0.5})])
    assert not any("*" in line for line in lines)
    assert "judged by different rows" in lines[-2]
    assert "fitted on rows of the other's test" in lines[-1]
    other = table([side("1"), side("2", test_set="22222222", data_digest="e" * 64)])
    assert "judged by different rows" in other[-1]  # of other data nobody knows


def test_a_version_without_a_test_set_says_so() -> None:
    lines = table([side("1"), side("2", test_set=None, test_rows=None, folds=(), metrics={"auc": 0.9})])
    assert row(lines, "test set") == ["11111111", "validation"]
    assert row(lines, "log_loss") == ["0.4000", "-"]


def test_parameters_are_shown_where_they_differ() -> None:
    lines = table([side("1", params={"C": "1.0"}), side("2", params={"C": "0.1", "depth": "3"})])
    assert row(lines, "C") == ["1.0", "0.1"]
    assert row(lines, "depth") == ["-", "3"]


def test_a_test_set_is_named_by_data_split_and_seed() -> None:
    made = evidence()
    one = an_evaluation(made.labels, made.scores)
    assert test_set_of(one) == test_set_of(msgspec.structs.replace(one, version="9", params={"C": "2"}))
    for change in ({"seed": 1}, {"data_digest": "e" * 64}, {"split": "time"}):
        assert test_set_of(one) != test_set_of(msgspec.structs.replace(one, **change))
    assert test_set_of(one) != test_set_of(msgspec.structs.replace(one, config='{"split":{"test":0.3}}'))
    by_time = msgspec.structs.replace(one, split="time")
    assert test_set_of(by_time) == test_set_of(msgspec.structs.replace(by_time, seed=1))


@pytest.fixture(scope="module")
def again() -> Tuned:
    """What came of training again, as far as it is compared."""
    made = evidence(rows=200)
    counted: Any = None, np.arange(3), np.arange(3)
    fitted = Fitted(None, {"C": "1.0"}, 1, made.labels, made.scores, 0.5, {"auc": 0.7}, *counted)
    folds = ({"auc": 0.8, "training_auc": 0.9}, {"auc": 0.81, "training_auc": 0.9})
    return Tuned(fitted, None, {"auc": 0.75}, made.scores, folds, None, None, None, ())  # type: ignore[arg-type]


def recorded(again: Tuned, **changes: Any) -> Evaluation:
    from training.evaluation.held_out import scores_digest

    same: dict[str, Any] = {
        "scores_digest": scores_digest(again.scores),
        "metrics": again.metrics,
        "validation": again.fitted.metrics,
        "params": again.fitted.params,
        "folds": again.folds,
    }
    return an_evaluation(np.array([0, 1]), np.array([0.1, 0.9]), **{**same, **changes})


def test_the_same_again_is_no_difference(again: Tuned) -> None:
    assert differences(recorded(again), again) == ()


def test_the_last_bit_of_a_score_is_a_difference(again: Tuned) -> None:
    scores = again.scores.copy()
    scores[-1] = np.nextafter(scores[-1], 2)
    (found,) = differences(recorded(again), replace(again, scores=scores))
    assert found.what == "digest of the scores"


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"threshold": 0.4}, "threshold"),
        ({"metrics": {"auc": 0.7500001}}, "test auc"),
        ({"validation": {"auc": 0.6}}, "validation auc"),
        ({"params": {"C": "2.0"}}, "parameter C"),
        ({"folds": ({"auc": 0.8}, {"auc": 0.9})}, "fold 1 auc"),
        ({"metrics": {"auc": 0.75, "gone": 1.0}}, "test gone"),
    ],
)
def test_whatever_came_out_otherwise_is_named(again: Tuned, changes: dict[str, Any], what: str) -> None:
    assert [one.what for one in differences(recorded(again, **changes), again)] == [what]


def test_what_an_older_version_did_not_record_is_not_asked(again: Tuned) -> None:
    assert differences(recorded(again, folds=({"auc": 0.8}, {"auc": 0.81})), again) == ()


def reproduced(*results: Difference, **other: Any) -> Reproduced:
    said: dict[str, Any] = {"trained": True, "around": ()}
    return Reproduced(model="m", version="3", data="d", results=results, **{**said, **other})


def test_the_end_says_whether_it_was_reproduced_and_what_may_be_why() -> None:
    code = Difference("code revision", "a", "b")
    one = Difference("threshold", "0.4", "0.5")
    assert reproduced_lines(reproduced(around=(code,))) == [
        "around      code revision: a then, b now",
        "m/3: reproduced from d: every metric and every score is the same",
    ]
    assert reproduced_lines(reproduced(one, apart=0.25))[-1] == (
        "m/3: NOT reproduced from d, though code and libraries are those of then; scores of the test rows are at most "
        "0.25 apart"
    )
    assert "not trained again" in reproduced_lines(reproduced(one, trained=False))[-1]
    assert len(reproduced_lines(reproduced(*[one] * 20))) == 10
