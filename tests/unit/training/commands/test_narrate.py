"""What `training train` says of search and calibration is of the model that was made."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.gated import evidence
from training.commands.narrate import calibrated_line, search_lines
from training.evaluation.record import Calibrated, Searched

TUNED = replace(
    evidence(rows=200).evaluation,
    params={"learning_rate": "0.06", "max_leaf_nodes": "31", "verbose": "0"},
    metrics={"cost": 0.25},
)


def searched(score: float, default: float | None) -> Searched:
    tried = {"learning_rate": 0.09726, "max_leaf_nodes": 15}
    return Searched(
        scoring="roc_auc", candidates=3, rounds=(3,), score=score, default=default, params=tried, seconds=1.0
    )


def test_where_the_configurations_own_parameters_stay_they_are_shown_first() -> None:
    first, second = search_lines(replace(TUNED, search=searched(0.7319, 0.7363)))
    assert (
        first == "search      3 candidates, best roc_auc 0.7319, the configuration's own parameters 0.7363: those stay"
    )
    own, best = "learning_rate 0.06, max_leaf_nodes 31", "learning_rate 0.09726, max_leaf_nodes 15"
    assert second.strip() == f"{own} (the best candidate: {best})"


@pytest.mark.parametrize("default", [0.73, None])
def test_where_the_best_candidate_is_used_its_parameters_alone_are_shown(default: float | None) -> None:
    first, second = search_lines(replace(TUNED, search=searched(0.74, default)))
    assert second.strip() == "learning_rate 0.09726, max_leaf_nodes 15"
    assert ("the best is used" in first) == (default is not None)


def test_without_a_calibration_there_is_no_before_and_after() -> None:
    none = replace(TUNED, calibration=Calibrated(error_before=0.0138, error_after=0.0138))
    assert calibrated_line(none) == "calibrated  not (calibration: none): error 0.0138; cost of a row 0.2500"
    done = replace(TUNED, calibration=Calibrated(method="sigmoid", error_before=0.02, error_after=0.01))
    assert "sigmoid: error 0.0200 before, 0.0100 after; cost" in calibrated_line(done)
