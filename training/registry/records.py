"""What training puts on record: the run, the data behind it, and the registered version that came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from contracts.schema import FeatureSchema


@dataclass(frozen=True)
class Version:
    """A registered model version. model_id: of the logged model that holds its files."""

    model: str
    version: str
    model_id: str


@dataclass(frozen=True)
class DataSource:
    """The rows a model comes from. digest: SHA-256, 64 hex digits."""

    name: str
    file: Path
    digest: str
    rows: int


@dataclass(frozen=True)
class Run:
    """What is recorded of one training run. example: a few rows of its features. figures: file name -> figure. series:
    metrics that have several values, such as one a fold. files: path -> bytes, among the run's artifacts.
    """

    pipeline: Any
    schema: FeatureSchema
    example: pd.DataFrame
    data: DataSource
    params: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]
    figures: dict[str, Any]
    series: dict[str, tuple[float, ...]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
