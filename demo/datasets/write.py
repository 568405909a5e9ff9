"""Write a data set's reference rows as a user would bring his own: a Parquet file and its `dataset.toml`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from demo.datasets.dataset import Dataset
from training.data.description import FILE_NAME


@dataclass(frozen=True)
class Clock:
    """A clock on which so many rows of the reference last one window. end: the rows are placed before it."""

    rows_per_window: int
    window: timedelta
    end: datetime


def write(dataset: Dataset, directory: Path, seed: int, clock: Clock | None = None) -> Path:
    """Write the two files to `directory` (made if need be); the same seed gives the same rows. Returns dataset.toml.

    clock: tell the rows' times by it, in their order; None: their own.
    """
    directory.mkdir(parents=True, exist_ok=True)
    description, rows = dataset.description, dataset.reference(seed)
    if clock is not None and description.time is not None:
        step = clock.window / clock.rows_per_window
        begin = clock.end - -(-len(rows) // clock.rows_per_window) * clock.window
        rows = rows.assign(**{description.time: [begin + number * step for number in range(len(rows))]})
    rows.to_parquet(directory / description.file, index=False)
    toml = directory / FILE_NAME
    toml.write_text(description.to_toml(), encoding="utf-8")
    return toml
