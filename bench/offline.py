"""The loop without servers: a model and its baseline as training makes them, windows counted, compared and judged by
the code that runs in the stream."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.benchmark import BenchError
from contracts.alerts import DriftAlert
from contracts.baseline import Baseline
from contracts.reports import DriftReport
from contracts.window import WindowCounts
from demo.datasets.catalogue import dataset_named
from demo.datasets.dataset import Dataset
from stream_app.alerting.policy import decide
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.alerting.policy_state import PolicyState
from stream_app.drift.report import report
from training.baselines.histograms import Origin
from training.data.columns import countable, feature_frame, labels_of
from training.data.samples import Samples
from training.fitting.fit import Fitted, fit
from training.fitting.pipeline import scores_of
from training.fitting.stopwatch import Stopwatch

Order = npt.NDArray[np.intp]

WINDOW_MS = 3_600_000
_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Rows:
    """Scored rows. columns: one array per monitored feature; scores: shape (rows,)."""

    columns: tuple[npt.NDArray[Any], ...]
    scores: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, rows: Order | slice) -> Rows:
        """Some of the rows."""
        return Rows(tuple(column[rows] for column in self.columns), self.scores[rows])


class OfflineModel:
    """One fitted model with its baseline. Fitting takes seconds; windows take milliseconds."""

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self.dataset = dataset
        self._seed = seed

    @cached_property
    def fitted(self) -> Fitted:
        """The model, fitted to the data set's reference rows with training's own code."""
        description = self.dataset.description
        reference = self.dataset.reference(self._seed)
        if description.label is None:
            raise BenchError(f"data set {description.name!r} names no label: a model cannot be fitted to it")
        features, labels = feature_frame(reference, description.schema), labels_of(reference, description.label)
        samples = Samples(description, Path(description.file), features, labels)
        return fit(samples, "hgb", self._seed, None, Stopwatch())

    @cached_property
    def baseline(self) -> Baseline:
        """The baseline that travels with the model."""
        origin = Origin(self.dataset.description.name, "1", _EPOCH, "", "")
        fitted = self.fitted
        return fitted.references.baseline(origin, fitted.threshold, fitted.positives, fitted.metrics)

    def rows(self, frame: pd.DataFrame) -> Rows:
        """Score rows of the data set."""
        schema = self.dataset.description.schema
        features = feature_frame(frame, schema)
        columns = [countable(features[feature.name], feature) for feature in schema.monitored]
        arrays = tuple(np.array(column, dtype=None if isinstance(column, np.ndarray) else object) for column in columns)
        return Rows(arrays, scores_of(self.fitted.pipeline, features))

    def report(self, rows: Rows, number: int) -> DriftReport:
        """Rows as the window of this number, counted from 0."""
        window = WindowCounts(self.baseline)
        window.add_columns(rows.columns, rows.scores, (rows.scores >= self.fitted.threshold).tolist())
        start = number * WINDOW_MS
        return report(
            self.baseline,
            window,
            window_start=start,
            window_end=start + WINDOW_MS,
            rows=len(rows),
            merged_windows=0,
            partitions={0: len(rows)},
        )

    def reports(self, rows: Rows, rows_per_window: int, first: int = 0) -> list[DriftReport]:
        """Rows in their order, cut into windows; what does not fill a window is left out."""
        cuts = range(0, len(rows) - rows_per_window + 1, rows_per_window)
        return [self.report(rows.take(slice(at, at + rows_per_window)), first + i) for i, at in enumerate(cuts)]


_DEFAULT, HARMLESS_TOO = PolicyConfig(), PolicyConfig(page_harmless=True)
"""The second as in the demo: whether a page comes is then up to the statistics alone, not to what the model minds."""


def pages(reports: Iterable[DriftReport], policy: PolicyConfig = _DEFAULT) -> list[DriftAlert]:
    """What the alert policy makes of these windows: incidents raised or escalated."""
    state, alerts = PolicyState(), []
    for found in reports:
        state, new = decide(state, found, policy)
        alerts += [alert for alert in new if alert.transition != "resolve"]
    return alerts


def dataset_of(name: str) -> Dataset:
    """The data set that --data names. Raises BenchError."""
    try:
        return dataset_named(name)
    except ValueError as error:
        raise BenchError(f"--data: {error}") from error
