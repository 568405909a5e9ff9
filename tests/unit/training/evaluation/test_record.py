"""What a version's evaluation says, and the test rows beside it, come back as they were written."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from contracts.errors import InvalidMessage
from tests.unit.training.rows import DESCRIPTION, some_loans
from training.data.columns import feature_frame, labels_of
from training.errors import DataError
from training.evaluation.held_out import HeldOut
from training.evaluation.record import Calibrated, Costs, Evaluation, Part, ScorerSize

EVALUATION = Evaluation(
    model="loans",
    version="3",
    created=datetime(2026, 1, 1, tzinfo=UTC),
    data="loans",
    data_digest="d" * 64,
    scores_digest="s" * 64,
    code_revision="r",
    seed=1,
    estimator="hgb",
    params={"max_iter": "200"},
    split="stratified",
    rows={"test": Part(rows=10, positives=3)},
    threshold=0.4,
    threshold_rule="best F1",
    costs=Costs(false_negative=5.0),
    metrics={"auc": 0.8},
    validation={"auc": 0.82},
    folds=({"auc": 0.7}, {"auc": 0.8}, {"auc": 0.9}),
    calibration=Calibrated(method="sigmoid", error_before=0.05, error_after=0.01),
    search=None,
    scorer=ScorerSize(kind="compiled-trees", bytes=1000, one_row=10.0, batch_row=4.0),
    model_bytes=5000,
)


def held_out(times: bool) -> HeldOut:
    table = some_loans(50)
    return HeldOut(
        feature_frame(table, DESCRIPTION.schema),
        labels_of(table, "defaulted"),
        np.linspace(0, 1, 50),
        np.arange(50, dtype=np.int64) if times else None,
        pd.DataFrame({"branch": ["a", None] * 25}),
    )


def test_an_evaluation_is_read_as_it_was_written() -> None:
    assert Evaluation.from_bytes(EVALUATION.to_bytes()) == EVALUATION
    assert EVALUATION.spread("auc") == pytest.approx(0.1)
    assert EVALUATION.spread("brier") == 0.0


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff"])
def test_bytes_that_are_no_evaluation_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidMessage, match="not an evaluation"):
        Evaluation.from_bytes(data)


@pytest.mark.parametrize("times", [True, False])
def test_test_rows_are_read_as_they_were_written(times: bool) -> None:
    rows = held_out(times)
    read = HeldOut.from_parquet(rows.to_parquet(), DESCRIPTION.schema)
    pd.testing.assert_frame_equal(read.features, rows.features)
    np.testing.assert_array_equal(read.labels, rows.labels)
    np.testing.assert_array_equal(read.scores, rows.scores)
    assert (read.times is None) == (rows.times is None)
    assert read.segments.columns.tolist() == ["branch"]
    assert rows.to_parquet() == held_out(times).to_parquet()


def test_test_rows_of_another_schema_are_refused() -> None:
    with pytest.raises(DataError, match="no column 'income'"):
        HeldOut.from_parquet(
            HeldOut(
                pd.DataFrame({"age": [1.0]}), np.array([1]), np.array([0.5]), None, pd.DataFrame(index=[0])
            ).to_parquet(),
            DESCRIPTION.schema,
        )
    with pytest.raises(DataError, match="cannot be read"):
        HeldOut.from_parquet(b"no", DESCRIPTION.schema)
