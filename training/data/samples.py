"""Samples: rows that a model can be fitted to, read from a description and its file; and the digest that names them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from contracts.schema import FeatureSchema
from training.data.columns import Labels, feature_frame, labels_of, require_columns, text_of
from training.data.description import FILE_NAME, Description, read_description
from training.data.tables import read_table
from training.data.times import Times, times_of
from training.errors import DataError

ROWS_PER_CLASS = 8
"""The fewest of each class: below, a stratified split leaves nothing to fit on or nothing to validate on."""


@dataclass(frozen=True, eq=False)
class Samples:
    """features: frame in schema order with FRAME_DTYPES; labels: 0 or 1, shape (rows,); file: where they came from.
    times: of the rows, where they were asked for. segments: columns as in the file, by which rows can be told apart,
    where some were asked for.
    """

    description: Description
    file: Path
    features: pd.DataFrame
    labels: Labels
    times: Times | None = None
    segments: pd.DataFrame | None = None

    @property
    def schema(self) -> FeatureSchema:
        """The features as the model takes them."""
        return self.description.schema

    @cached_property
    def digest(self) -> str:
        """SHA-256 over names, kinds, values and labels in order, 64 hex digits; over times and segments where they were
        read, since splits, natural variation and the fairness gate depend on them.

        Of the content, not of the file: a CSV and a Parquet file of the same rows have the same digest.
        """
        digest = hashlib.sha256()
        for feature in self.schema.features:
            digest.update(f"{feature.name}\0{feature.kind}\0".encode())
            column = self.features[feature.name]
            if feature.kind == "categorical":
                digest.update("\0".join(column.fillna("\1").tolist()).encode())
            else:
                # + 0.0: one sign of zero; one bit pattern of NaN
                numbers = np.where(column.isna(), np.nan, column.to_numpy() + 0.0)
                digest.update(numbers.astype("<f8").tobytes())
        digest.update(self.labels.astype("<i1").tobytes())
        if self.times is not None:
            digest.update(b"\0time\0" + self.times.milliseconds.astype("<i8").tobytes())
        if self.segments is not None:
            for name, column in sorted(self.segments.items()):
                values = text_of(column).fillna("\1").tolist()
                digest.update(f"\0segment\0{name}\0".encode() + "\0".join(values).encode())
        return digest.hexdigest()


def load(path: Path, *, timed: bool | None = False, segments: Sequence[str] = ()) -> Samples:
    """Read the rows that `path` (a folder with a dataset.toml, or that file) describes. Raises DataError.

    timed: their times too, from the column that the description names; None: if it names one. segments: names of
    columns that are read besides; those that are features are left to them.
    """
    description, file = read_description(path)
    if description.label is None:
        raise DataError(f'{path}: the description names no label: add label = "COLUMN" to train on it')
    if timed and description.time is None:
        raise DataError(f'{path}: --window needs the rows\' times, and the description names none: add time = "COLUMN"')
    schema = description.schema
    text = [feature.name for feature in schema.features if feature.kind != "numeric"]
    table = read_table(file, [*text, description.label])
    try:
        times = None
        if timed is not False and description.time is not None:
            times = times_of(table, description.time, f"time in {path / FILE_NAME if path.is_dir() else path}")
        features, labels = feature_frame(table, schema), labels_of(table, description.label)
        others = [name for name in segments if name not in schema.names]
        require_columns(table, tuple(others), "that segments names", ": correct segments in the training.yaml")
        samples = Samples(description, file, features, labels, times, table[others].reset_index(drop=True))
        _check_classes(description.label, samples.labels)
    except DataError as error:
        raise DataError(f"{file}: {error}") from error
    return samples


def _check_classes(label: str, labels: Labels) -> None:
    for value in (0, 1):
        rows = int((labels == value).sum())
        if rows == 0:
            raise DataError(f"label {label!r} is {1 - value} in every row: a classifier needs both classes")
        if rows < ROWS_PER_CLASS:
            raise DataError(f"label {label!r} is {value} in {rows} rows only: at least {ROWS_PER_CLASS} are needed")
