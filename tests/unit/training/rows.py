"""Small tables to train on, and a folder that describes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from contracts.schema import Feature
from training.data.description import FILE_NAME, Description

DESCRIPTION = Description(
    name="loans",
    file="loans.csv",
    label="defaulted",
    features=(
        Feature("income", "numeric"),
        Feature("region", "categorical"),
        Feature("owner", "boolean"),
    ),
)

CONFIG = """\
model: loans
data: .
jobs: 1
folds: 2
estimator: {name: logistic, params: {max_iter: 300}}
pictures: {curves: false, importance: 0}
"""
"""A training.yaml that takes a second."""


def some_loans(rows: int = 400, seed: int = 1) -> pd.DataFrame:
    """Loans whose default follows income and region; a tenth of incomes, regions and owners is missing."""
    draw = np.random.default_rng(seed)
    income = draw.normal(50.0, 10.0, rows)
    region = draw.choice(["north", "south", "east"], rows)
    risk = 1 / (1 + np.exp((income - 50) / 5 + np.where(region == "south", -1.0, 1.0)))
    table = pd.DataFrame(
        {
            "income": income,
            "region": pd.Series(region, dtype="str"),
            "owner": pd.Series(draw.random(rows) < 0.4, dtype=object),
            "defaulted": (draw.random(rows) < risk).astype(int),
        }
    )
    for column in ("income", "region", "owner"):
        table.loc[draw.random(rows) < 0.1, column] = None
    return table


def described(folder: Path, table: pd.DataFrame | str, description: Description = DESCRIPTION) -> Path:
    """Write the table (or the raw text of its file) and its dataset.toml to `folder`; returns the folder."""
    file = folder / description.file
    if isinstance(table, str):
        file.write_text(table)
    elif file.suffix == ".parquet":
        table.to_parquet(file, index=False)
    else:
        table.to_csv(file, index=False)
    (folder / FILE_NAME).write_text(description.to_toml())
    return folder
