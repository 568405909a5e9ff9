"""Write a data set's reference rows as a user would bring his own: a Parquet file and its `dataset.toml`."""

from __future__ import annotations

from pathlib import Path

from demo.datasets.dataset import Dataset
from training.data.description import FILE_NAME


def write(dataset: Dataset, directory: Path, seed: int) -> Path:
    """Write the two files to `directory` (made if need be); the same seed gives the same rows. Returns dataset.toml."""
    directory.mkdir(parents=True, exist_ok=True)
    description = dataset.description
    dataset.reference(seed).to_parquet(directory / description.file, index=False)
    toml = directory / FILE_NAME
    toml.write_text(description.to_toml(), encoding="utf-8")
    return toml
