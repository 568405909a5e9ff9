"""Old rows: those of a base, an older data set, which come before what is collected, so that a model learns the new
without forgetting the old.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from contracts.schema import FeatureSchema
from training.data.columns import feature_frame, labels_of, require_columns
from training.data.description import Description, read_description
from training.data.tables import read_table
from training.data.times import times_of
from training.errors import DataError


def read_base(base: Path) -> tuple[Description, Path]:
    """Its description, and its file. Raises DataError where that is no base for any model."""
    old, file = read_description(base)
    if old.label is None:
        raise DataError(f'{base}: a base needs labels, and its description names none: add label = "COLUMN"')
    if old.time is None:
        raise DataError(f'{base}: a base needs times, by which its rows are told from new ones: add time = "COLUMN"')
    return old, file


def old_rows(base: Path, new: Description) -> pd.DataFrame:
    """Its rows, under the names of the new ones and with values as they are sent, whatever file they come from.

    Raises DataError where they do not go together with the new ones.
    """
    old, file = read_base(base)
    label, time = str(old.label), str(old.time)
    if missing := [name for name in new.schema.names if name not in old.schema.names]:
        model = new.name.removesuffix("-collected")
        raise DataError(f"{base}: no feature {missing[0]!r}: a base must have all that the model {model} has")
    text = [feature.name for feature in old.schema.features if feature.kind != "numeric"]
    table = read_table(file, [*text, label])
    others = () if old.entity is None else (old.entity,)
    try:
        require_columns(table, (*new.schema.names, *others), "of the description")
        # one that is empty there came later
        present = tuple(feature for feature in new.schema.features if table[feature.name].notna().any())
        frame = feature_frame(table, FeatureSchema(present))
        labels = labels_of(table, label)
        times = times_of(table, time)
    except DataError as error:
        raise DataError(f"{file}: {error}") from error
    rows = pd.DataFrame({feature.name: None for feature in new.schema.features}, index=table.index)
    for feature in present:
        column = frame[feature.name]
        rows[feature.name] = column.map({1.0: True, 0.0: False}) if feature.kind == "boolean" else column
    rows[new.label] = labels
    rows[new.time] = pd.to_datetime(times.milliseconds, unit="ms", utc=True)
    if old.entity is not None:
        rows[new.entity] = table[old.entity]
    return rows
