"""Reading described data: types, missing values, the digest, and every way it can be wrong."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from contracts.model_files import FRAME_DTYPES
from contracts.schema import Feature
from tests.unit.training.rows import DESCRIPTION, described, some_loans
from training.data.description import Description, read_description
from training.data.samples import load
from training.data.tables import read_table
from training.errors import DataError


def test_features_come_in_schema_order_with_the_agreed_types(tmp_path: Path) -> None:
    samples = load(described(tmp_path, some_loans()))
    assert list(samples.features.columns) == ["income", "region", "owner"]
    for feature in samples.schema.features:
        assert samples.features[feature.name].dtype == FRAME_DTYPES[feature.kind]


def test_missing_values_are_nan_in_every_kind_of_column(tmp_path: Path) -> None:
    table = some_loans()
    samples = load(described(tmp_path, table))
    for name in ("income", "region", "owner"):
        assert (samples.features[name].isna().to_numpy() == table[name].isna().to_numpy()).all()


def test_a_level_called_na_is_a_level_and_an_empty_one_is_missing(tmp_path: Path) -> None:
    rows = "".join(f"{i},NA,true,{i % 2}\n" for i in range(20)) + "21,,true,1\nNA,x,,0\n"
    samples = load(described(tmp_path, "income,region,owner,defaulted\n" + rows))
    assert samples.features["region"].isna().sum() == 1
    assert (samples.features["region"] == "NA").sum() == 20
    assert samples.features["income"].isna().sum() == 1


def test_a_code_with_leading_zeros_keeps_them(tmp_path: Path) -> None:
    rows = "".join(f"{i},0{i % 3}123,true,{i % 2}\n" for i in range(20))
    samples = load(described(tmp_path, "income,region,owner,defaulted\n" + rows))
    assert set(samples.features["region"]) == {"00123", "01123", "02123"}


def test_whole_number_codes_read_alike_with_and_without_missing_ones(tmp_path: Path) -> None:
    table = some_loans(40).assign(region=[1.0, 2.0, None, 4.0] * 10)
    samples = load(described(tmp_path, table, msgspec.structs.replace(DESCRIPTION, file="loans.parquet")))
    assert set(samples.features["region"].dropna()) == {"1", "2", "4"}


def test_csv_and_parquet_of_the_same_rows_have_the_same_digest(tmp_path: Path) -> None:
    (tmp_path / "csv").mkdir()
    (tmp_path / "parquet").mkdir()
    table = some_loans()
    from_csv = load(described(tmp_path / "csv", table))
    from_parquet = load(
        described(tmp_path / "parquet", table, msgspec.structs.replace(DESCRIPTION, file="loans.parquet"))
    )
    assert from_csv.digest == from_parquet.digest
    assert len(from_csv.digest) == 64


@pytest.mark.parametrize(("column", "value"), [("income", 51.0), ("region", "west"), ("owner", None), ("defaulted", 1)])
def test_one_changed_value_changes_the_digest(tmp_path: Path, column: str, value: object) -> None:
    table = some_loans().assign(income=np.linspace(1, 2, 400), region="north", owner=True, defaulted=[0, 1] * 200)
    before = load(described(tmp_path, table)).digest
    changed = table.astype({"owner": object})
    changed.loc[2, column] = value
    assert load(described(tmp_path, changed)).digest != before


def test_times_and_segments_are_of_the_digest_where_they_are_read(tmp_path: Path) -> None:
    timed = msgspec.structs.replace(DESCRIPTION, time="at")
    hours = pd.date_range("2026-01-01", periods=400, freq="h", tz="UTC")
    table = some_loans().assign(at=hours, branch=np.arange(400) % 7, desk=["a", None] * 200)
    segments = ("branch", "desk")

    def digest(rows: pd.DataFrame, file: str = "loans.parquet", **asked: Any) -> str:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        return load(described(folder, rows, msgspec.structs.replace(timed, file=file)), **asked).digest

    both = {"timed": None, "segments": segments}
    told = {digest(table), digest(table, timed=True), digest(table, segments=segments), digest(table, **both)}
    assert len(told) == 4
    assert digest(table, "loans.csv", **both) == digest(table, timed=True, segments=segments[::-1]) in told
    others = {
        "at": {"at": hours[::-1]},
        "branch": {"branch": np.arange(400) % 6},
        "desk": {"desk": [None, "a"] * 200},
    }
    for column, change in others.items():
        assert digest(table.assign(**change), **both) not in told, column
        assert digest(table.assign(**change)) in told, column


@dataclass(frozen=True)
class Wrong:
    """A table that cannot be used, and what the error must say."""

    says: str
    table: pd.DataFrame | str
    description: Description = DESCRIPTION


def loans_with(**columns: object) -> pd.DataFrame:
    return some_loans(100).assign(**columns)


WRONG = {
    "no label column": Wrong(
        "no column 'defaulted' that the description calls the label", loans_with().drop(columns="defaulted")
    ),
    "one class": Wrong("label 'defaulted' is 0 in every row: a classifier needs both classes", loans_with(defaulted=0)),
    "a class of three": Wrong("is 1 in 3 rows only: at least 8", loans_with(defaulted=[1] * 3 + [0] * 97)),
    "label of words": Wrong(
        "label 'defaulted' holds 'yes' in row 1: it must be 0 or 1", loans_with(defaulted=["yes", "no"] * 50)
    ),
    "label of counts": Wrong(
        "label 'defaulted' holds '2' in row 2: it must be 0 or 1", loans_with(defaulted=[1, 2] * 50)
    ),
    "label missing": Wrong("label 'defaulted' is missing in 50 rows: remove", loans_with(defaulted=[1, None] * 50)),
    "unknown column": Wrong("no column 'region' of the description", loans_with().drop(columns="region")),
    "nothing but missing": Wrong("feature 'income' has no value at all: remove it", loans_with(income=None)),
    "text for a number": Wrong(
        "column 'income' holds 'plenty' in row 1: not a number", loans_with(income=["plenty", "1"] * 50)
    ),
    "infinite": Wrong("column 'income' is infinite in row 2", loans_with(income=[1.0, np.inf] * 50)),
    "no boolean": Wrong(
        "column 'owner' holds 'maybe' in row 1: a boolean is", loans_with(owner=["maybe", "true"] * 50)
    ),
    "empty file": Wrong("the file is empty", ""),
    "header only": Wrong("no rows", "income,region,owner,defaulted\n"),
    "ragged": Wrong("cannot be read as .csv", "income,region,owner,defaulted\n1,a,true,0\n1,2,3,4,5,6,7\n"),
    "missing where forbidden": Wrong(
        "feature 'income' is missing in 50 rows: declare nullable = true",
        loans_with(income=[1.0, None] * 50),
        msgspec.structs.replace(DESCRIPTION, features=(Feature("income", "numeric", nullable=False),)),
    ),
    "no label described": Wrong("names no label", loans_with(), msgspec.structs.replace(DESCRIPTION, label=None)),
    "strange suffix": Wrong(
        "unknown kind of file", loans_with(), msgspec.structs.replace(DESCRIPTION, file="loans.xls")
    ),
    "times for numbers": Wrong(
        "column 'income' holds times",
        loans_with(income=pd.Timestamp("2026-01-01", tz="UTC")),
        msgspec.structs.replace(DESCRIPTION, file="loans.parquet"),
    ),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_unusable_data_is_named_in_one_line_with_the_file(tmp_path: Path, wrong: Wrong) -> None:
    folder = described(tmp_path, wrong.table, wrong.description)
    with pytest.raises(DataError) as caught:
        load(folder)
    text = str(caught.value)
    assert wrong.says in text
    assert str(tmp_path) in text
    assert "\n" not in text


def test_a_parquet_file_that_is_none_says_so(tmp_path: Path) -> None:
    folder = described(tmp_path, "not parquet at all", msgspec.structs.replace(DESCRIPTION, file="loans.parquet"))
    with pytest.raises(DataError, match=r"loans.parquet: cannot be read as .parquet"):
        load(folder)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name = ", "not a TOML file"),
        ('name = "x"', "missing required field `file`"),
        ('name = "x"\nfile = "y.csv"\nlable = "z"\nfeatures = []', "unknown field `lable`"),
        ('name = "x"\nfile = "y.csv"\nfeatures = []', "the schema has no features"),
        ('name = "x"\nfile = "y"\n[[features]]\nname = "a"\nkind = "number"', "Invalid enum value 'number'"),
        (
            'name = "x"\nfile = "y"\nlabel = "a"\n[[features]]\nname = "a"\nkind = "numeric"',
            "is the label and also a feature",
        ),
        ('name = "x"\nfile = "y"\n' + '[[features]]\nname = "a"\nkind = "numeric"\n' * 2, "'a' appears twice"),
    ],
)
def test_a_wrong_description_names_the_file_and_the_field(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "dataset.toml").write_text(text)
    with pytest.raises(DataError, match=says) as caught:
        read_description(tmp_path)
    assert str(tmp_path / "dataset.toml") in str(caught.value)


def test_a_description_survives_its_own_toml(tmp_path: Path) -> None:
    odd = Description(
        name='with "quotes" and a \\ backslash',
        file="größe.parquet",
        label="späte Ankunft?",
        time="t",
        entity="e",
        features=(Feature("a b = c", "numeric", nullable=False), Feature("d", "boolean", monitored=False)),
    )
    (tmp_path / "dataset.toml").write_text(odd.to_toml(), encoding="utf-8")
    assert read_description(tmp_path) == (odd, tmp_path / "größe.parquet")


def test_a_folder_without_a_description_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such file: give a folder with a dataset.toml"):
        read_description(tmp_path)


def test_rows_with_more_fields_than_the_header_are_refused_and_not_shifted(tmp_path: Path) -> None:
    file = tmp_path / "wide.csv"
    file.write_text("income,region\n1,x,\n2,y,\n")
    with pytest.raises(DataError, match="more fields than the header"):
        read_table(file)


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "twice.csv"
    file.write_text("income,region,income\n1,x,2\n")
    with pytest.raises(DataError, match="'income' more than once"):
        read_table(file)
