"""A base: rows of another description that come first under the names of the new ones, or one line says why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from msgspec.structs import replace

from contracts.schema import Feature, FeatureSchema
from tests.unit.training.rows import DESCRIPTION, described, some_loans
from training.collecting.collect import check_base
from training.collecting.old_rows import old_rows
from training.data.description import Description
from training.errors import DataError

BASE = replace(DESCRIPTION, time="at", entity="customer")
NEW = Description(
    name="loans-collected",
    file="rows.parquet",
    features=(Feature("income", "numeric"), Feature("region", "categorical")),
    label="truth",
    time="event_time",
    entity="entity_id",
)


def some_rows(**changes: Any) -> pd.DataFrame:
    return some_loans(40).assign(**{"at": "2026-01-01T01:00:00+01:00", "customer": "c", **changes})


def test_its_rows_have_the_names_of_the_new_ones_and_what_these_have_not_is_left_behind(tmp_path: Path) -> None:
    rows = some_rows()
    found = old_rows(described(tmp_path, rows, BASE), NEW)
    assert sorted(found) == ["entity_id", "event_time", "income", "region", "truth"]
    assert found["event_time"].unique().tolist() == [pd.Timestamp("2026-01-01T00:00:00Z")]
    assert found["truth"].tolist() == rows["defaulted"].tolist()
    pd.testing.assert_series_equal(found["income"], rows["income"])


def test_a_feature_that_is_empty_there_may_have_come_later(tmp_path: Path) -> None:
    found = old_rows(described(tmp_path, some_rows(income=None), BASE), NEW)
    assert found["income"].isna().all()


@pytest.mark.parametrize(
    ("rows", "description", "says"),
    [
        ({}, {"time": None}, "a base needs times"),
        ({}, {"label": None}, "a base needs labels"),
        ({}, {"features": DESCRIPTION.features[:1]}, "no feature 'region': a base must have all that the model loans"),
        ({"at": "yesterday"}, {}, "time 'at' holds 'yesterday': not a time"),
        ({}, {"time": "when"}, "no column 'when'"),
        ({}, {"entity": "client"}, "no column 'client'"),
        ({"income": "much"}, {}, "column 'income' holds 'much'"),
        ({"defaulted": 2}, {}, "label 'defaulted' holds '2'"),
    ],
)
def test_what_cannot_come_first_is_said_in_one_line(
    rows: dict[str, Any], description: dict[str, Any], says: str, tmp_path: Path
) -> None:
    base = described(tmp_path, some_rows(**rows), replace(BASE, **description))
    with pytest.raises(DataError, match=says):
        check_base(base, "loans", FeatureSchema(NEW.features))
