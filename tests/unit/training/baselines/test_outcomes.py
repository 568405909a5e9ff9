"""The baseline knows how its scores turned out: by training, by a label column of one's own, and of a regression."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, mean_absolute_error, roc_auc_score

from contracts.baseline import Baseline
from stream_app.performance.measures import reference_measures
from tests.unit.training.baselines.test_baseline import NOW
from tests.unit.training.rows import some_loans
from training.errors import DataError
from training.trained_elsewhere.reference import fit_to_reference, read_reference


def scored(rows: int = 4_000) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    scores = rng.beta(1, 6, rows)
    return some_loans(rows).assign(chance=scores, paid=(rng.random(rows) < scores).astype(int))


def fitted(
    table: pd.DataFrame,
    tmp_path: Path,
    threshold: float | None = 0.3,
    *,
    score: str | None = "chance",
    label: str = "paid",
) -> Baseline:
    file = tmp_path / "reference.parquet"
    table.to_parquet(file)
    read = read_reference(file, None, score, label_column=label, decided=threshold is not None)
    return fit_to_reference(read, "loans", "7", threshold=threshold, code_revision="abc", seed=0, now=NOW)


def test_a_label_column_gives_the_performance_that_windows_are_held_against(tmp_path: Path) -> None:
    table = scored()
    baseline = fitted(table, tmp_path)
    found = {name: each.value for name, each in reference_measures(baseline).items()}
    assert found["auc"] == pytest.approx(roc_auc_score(table.paid, table.chance), abs=0.002)
    assert found["average_precision"] == pytest.approx(average_precision_score(table.paid, table.chance), abs=0.002)
    decided = table.chance >= 0.3
    assert found["precision_1"] == table.paid[decided].mean()
    assert "paid" not in baseline.schema.names
    assert found["auc"] == pytest.approx(baseline.performance["auc"], abs=0.002)


def test_a_label_column_of_other_numbers_is_a_regressions(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    truth = rng.normal(200, 30, 4_000)
    table = some_loans(4_000).assign(chance=truth + rng.normal(2, 10, 4_000), paid=truth)
    found = reference_measures(fitted(table, tmp_path, None))
    assert found["mae"].value == pytest.approx(mean_absolute_error(table.paid, table.chance), rel=0.01)
    assert found["bias"].value == pytest.approx((table.chance - table.paid).mean(), abs=0.1)


@pytest.mark.parametrize(
    ("change", "threshold", "line"),
    [
        ({"paid": 1}, 0.3, "'paid' is 1 in every row: performance needs rows of both truths"),
        ({"paid": 2.5}, 0.3, "'paid' holds '2.5' in row 1: it must be 0 or 1; or leave out --threshold"),
        ({"paid": "yes"}, None, "'paid' holds 'yes' in row 1: it must be 0 or 1"),
    ],
)
def test_a_label_column_that_cannot_be_used_is_an_error_that_names_the_fix(
    tmp_path: Path, change: dict[str, object], threshold: float | None, line: str
) -> None:
    with pytest.raises(DataError, match=r"reference\.parquet: label ") as raised:
        fitted(scored(100).assign(**change), tmp_path, threshold)
    assert line in str(raised.value)


def test_a_label_column_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"no column 'late' that is named as the label \(--label-column\); the file has"
    ):
        fitted(scored(100), tmp_path, label="late")


def test_labels_without_scores_say_where_scores_come_from(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="--label-column has no scores to be compared with: name them with --score-column"
    ):
        fitted(scored(100), tmp_path, None, score=None)
