"""Checks of the data: what would make a model worthless is refused in one line that names it, the rest is warned of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from contracts.schema import Feature, FeatureSchema
from tests.unit.training.rows import DESCRIPTION, described, some_loans
from training.configuration.config import Bounds, Checks
from training.data.samples import Samples, load
from training.data.splits import Parts, stratified
from training.errors import ConfigError, DataError
from training.validation.checks import validate
from training.validation.frame_schema import schema_findings


def samples(folder: Path, table: pd.DataFrame) -> tuple[Samples, Parts]:
    found = load(described(folder, table))
    return found, stratified(found.labels, 0.2, 0.2, 0)


def distinct() -> pd.DataFrame:
    """Loans of which no two are alike."""
    table = some_loans()
    return table.assign(income=table["income"].fillna(pd.Series(np.linspace(40, 60, len(table)))))


def told(folder: Path, table: pd.DataFrame, **checks: Any) -> tuple[str, ...]:
    return validate(*samples(folder, table), Checks(**checks))


def test_ordinary_data_passes_without_a_word(tmp_path: Path) -> None:
    assert told(tmp_path, distinct(), ranges={"income": Bounds(minimum=0, maximum=200)}) == ()


def test_a_value_out_of_its_range_is_named_with_its_row(tmp_path: Path) -> None:
    table = some_loans()
    table.loc[[7, 9], "income"] = [-3.5, -1.0]
    with pytest.raises(
        DataError, match=r"'income' is '-3.5' in row 8 and in 1 more: below checks.ranges.income.minimum 0"
    ):
        told(tmp_path, table, ranges={"income": Bounds(minimum=0)})
    with pytest.raises(DataError, match=r"above checks\.ranges\.income\.maximum 30"):
        told(tmp_path, table, ranges={"income": Bounds(maximum=30)})


def test_a_level_that_is_not_allowed_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'region' is 'south' in row \d+ .*: not in checks\.levels\.region"):
        told(tmp_path, some_loans(), levels={"region": ("north", "east")})


@pytest.mark.parametrize(
    ("checks", "says"),
    [
        ({"ranges": {"wealth": Bounds(minimum=0)}}, "checks.ranges names 'wealth', which is no numeric feature"),
        ({"ranges": {"region": Bounds(minimum=0)}}, "checks.ranges names 'region'"),
        ({"levels": {"income": ("a",)}}, "checks.levels names 'income', which is no categorical feature"),
    ],
)
def test_a_check_of_a_feature_that_is_not_there_is_refused(tmp_path: Path, checks: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        told(tmp_path, some_loans(), **checks)


def test_a_frame_that_is_not_what_the_schema_says_has_a_finding_for_each_way(tmp_path: Path) -> None:
    schema = FeatureSchema(
        (Feature("n", "numeric", nullable=False), Feature("b", "boolean"), Feature("gone", "numeric"))
    )
    frame = pd.DataFrame({"n": [1.0, np.nan], "b": [0.5, 1.0]})
    texts = [finding.text for finding in schema_findings(frame, schema, Checks())]
    assert any("gone" in text for text in texts)
    assert "feature 'n' is missing in row 2: and the description says nullable = false" in texts
    assert "feature 'b' is '0.5' in row 1: not true or false" in texts


def test_rows_that_repeat_are_warned_of_and_too_many_are_refused(tmp_path: Path) -> None:
    table = distinct()
    some = pd.concat([table, table.head(20)], ignore_index=True)
    (warning, *_) = told(tmp_path, some)
    assert warning.startswith("4.8% of the rows repeat an earlier one, row 401 is the first")
    with pytest.raises(DataError, match=r"50\.0% of the rows repeat an earlier one"):
        told(tmp_path, pd.concat([table, table], ignore_index=True))


def test_test_rows_that_were_trained_on_are_told(tmp_path: Path) -> None:
    found, parts = samples(tmp_path, distinct())
    same = Parts(parts.train, parts.validation, parts.train[:50], parts.present)
    with pytest.raises(DataError, match=r"100\.0% of the test rows are also among the training rows"):
        validate(found, same, Checks())
    assert "100.0% of the test rows" in validate(found, same, Checks(overlap=1.0))[0]


@pytest.mark.parametrize("kind", ["numeric", "categorical"])
def test_a_feature_that_is_the_label_in_other_words_is_a_leak(tmp_path: Path, kind: str) -> None:
    table = some_loans()
    if kind == "numeric":
        table["income"] = table["defaulted"] * -3.0 + np.linspace(0, 1, 400)
    else:
        table["region"] = np.where(table["defaulted"] == 1, "bad", "good")
    name = "income" if kind == "numeric" else "region"
    with pytest.raises(DataError, match=rf"feature '{name}' alone has an AUC of 1\.0000"):
        told(tmp_path, table)


def test_a_value_that_is_there_only_when_the_label_is_positive_is_a_leak(tmp_path: Path) -> None:
    table = some_loans()
    table["income"] = table["income"].fillna(50).where(table["defaulted"] == 1)
    with pytest.raises(DataError, match="feature 'income' alone"):
        told(tmp_path, table)


def test_a_number_that_tells_from_both_sides_is_a_leak_at_the_door_as_at_the_gates(tmp_path: Path) -> None:
    table, draw = some_loans(2_000), np.random.default_rng(0)
    far = draw.choice([-3.0, 3.0], len(table)) + draw.normal(0, 0.1, len(table))
    table["income"] = np.where(table["defaulted"] == 1, far, draw.normal(0, 0.1, len(table)))
    with pytest.raises(DataError, match="feature 'income' alone has an AUC of"):
        told(tmp_path, table)


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    table = some_loans()
    table["region"] = np.where(table["defaulted"] == 1, "bad", "good")
    with pytest.raises(DataError) as caught:
        told(tmp_path, table, ranges={"income": Bounds(minimum=40)})
    assert "below checks.ranges.income.minimum 40" in str(caught.value)
    assert "feature 'region' alone" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert DESCRIPTION.file in str(caught.value)
