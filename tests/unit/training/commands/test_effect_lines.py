"""What the command says of effects on the model: one line, and one for each thing that the model refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contracts.baseline import Baseline
from tests.unit.training.rows import DESCRIPTION, described, some_loans
from training.commands.narrate import baseline_lines
from training.data.samples import load
from training.errors import DataError
from training.fitting.fit import fit
from training.fitting.stopwatch import Stopwatch
from training.trained_elsewhere.reference import fit_to_reference, read_reference

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Model:
    """A regressor of somebody else's, that takes what `refuses` does not name."""

    def __init__(self, refuses: str = "") -> None:
        self.refuses = refuses

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        if self.refuses == "far" and (rows["income"] < 0).any():
            raise ValueError("income must be positive")
        if self.refuses == "unseen" and not set(rows["region"].dropna()) <= {"north", "south", "east"}:
            raise KeyError(sorted(set(rows["region"].dropna()) - {"north", "south", "east"})[0])
        if self.refuses == "nan":
            return np.where(rows["owner"].isna(), np.nan, 0.5)
        return (rows["income"].fillna(50.0) / 100).to_numpy()


def fitted(folder: Path, model: Model | None = None, score: str | None = None) -> Baseline:
    file = folder / "reference.csv"
    some_loans().assign(score=0.25).to_csv(file, index=False)
    described(folder, some_loans())
    reference = read_reference(file, folder, score)
    if model is not None:
        reference = reference.scored_by(model)
    return fit_to_reference(reference, "loans", "7", threshold=None, code_revision="", seed=0, now=NOW)


def lines(baseline: Baseline) -> list[str]:
    """The line about effects, and those that go on from it."""
    told = baseline_lines(baseline, [])
    first = next(i for i, line in enumerate(told) if line.startswith("effect"))
    return [line for i, line in enumerate(told) if i == first or (i > first and line.startswith(" " * 12))]


def test_a_model_that_answers_everything_is_one_line(tmp_path: Path) -> None:
    assert lines(fitted(tmp_path, Model())) == [
        "effect      on the score: known if the world moves; the model was asked about 3 features"
    ]


def test_a_score_column_without_a_model_tells_half_of_it(tmp_path: Path) -> None:
    baseline = fitted(tmp_path, score="score")
    assert lines(baseline) == [
        "effect      on the score: known if the world moves; not if data breaks, there was no model to ask"
    ]
    assert all(reference.dependence is not None for reference in baseline.features.values())


def test_without_scores_nothing_is_known_and_the_line_says_how_it_would_be(tmp_path: Path) -> None:
    baseline = fitted(tmp_path)
    assert lines(baseline) == [
        "effect      on the score: not known, there are no scores (--score-column, or --attach without it)"
    ]
    assert all(reference.dependence is None for reference in baseline.features.values())


@pytest.mark.parametrize(
    ("refuses", "line"),
    [
        ("far", "of income: values out of range (ValueError: income must be positive)"),
        ("unseen", "of region: an unseen level (KeyError: 'never seen')"),
    ],
)
def test_what_a_model_refuses_is_a_line_with_the_reason_and_fails_nothing(
    tmp_path: Path, refuses: str, line: str
) -> None:
    told = lines(fitted(tmp_path, Model(refuses)))
    assert told[0].endswith("the model was asked about 3 features")
    assert told[1:] == [f"            the model refuses, {line}"]


def test_a_model_that_cannot_score_the_reference_rows_is_refused_with_the_row(tmp_path: Path) -> None:
    owner = some_loans()["owner"]
    row = int(np.flatnonzero(owner.isna())[0]) + 1
    with pytest.raises(DataError, match=f"the model's score of row {row} is nan: leave such rows out"):
        fitted(tmp_path, Model("nan"))


def test_training_knows_both_effects_of_every_feature_on_rows_that_it_was_not_fitted_on(tmp_path: Path) -> None:
    samples = load(described(tmp_path, some_loans(1_200)))
    result = fit(samples, "hgb", 5, None, Stopwatch())
    income = result.references.features["income"].dependence
    assert income is not None
    assert income.partial is not None
    assert set(result.references.features) == {feature.name for feature in DESCRIPTION.features}
    # 300 rows of validation, all of them in the sample
    assert income.sample_score == pytest.approx(result.scores.mean(), abs=1e-6)
    assert income.sample_positives == pytest.approx((result.scores >= result.threshold).mean(), abs=1e-6)
    assert income.partial[0] > income.partial[-1]  # the poor default more often
