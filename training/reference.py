"""A baseline for a model that was trained elsewhere: fitted to a reference file of its owner."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contracts.baseline import Baseline
from contracts.schema import FeatureSchema
from training.baseline import Origin, count_positives, count_references
from training.columns import feature_frame, labels_of, numbers_of
from training.description import read_description
from training.errors import DataError
from training.evaluate import evaluate
from training.infer import Guess, guess_columns, guessed_schema
from training.pipeline import scores_of
from training.tables import read_table


@dataclass(frozen=True)
class ReferenceFile:
    """What a reference file holds. guesses: what columns were taken for, empty where a description said it."""

    file: Path
    schema: FeatureSchema
    features: pd.DataFrame
    scores: npt.NDArray[np.float64] | None
    labels: npt.NDArray[np.int64] | None
    guesses: tuple[Guess, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the file, 64 hex digits."""
        return hashlib.sha256(self.file.read_bytes()).hexdigest()

    def scored_by(self, estimator: Any) -> ReferenceFile:
        """With the scores that `estimator` gives these rows. Raises DataError when it cannot take them."""
        try:
            return replace(self, scores=scores_of(estimator, self.features))
        except (ValueError, TypeError, KeyError) as error:
            reason = " ".join(str(error).split())[:200]
            raise DataError(f"{self.file}: the model cannot score these rows: {reason}") from error


def read_reference(file: Path, description: Path | None, score_column: str | None) -> ReferenceFile:
    """Read `file` as the description says, or as its columns look. Raises DataError."""
    if description is None:
        schema, guesses = _inferred(file, score_column)
        label = None
    else:
        said, _ = read_description(description)
        schema, guesses, label = said.schema, (), said.label
    text = [feature.name for feature in schema.features if feature.kind != "numeric"]
    table = read_table(file, text if label is None else [*text, label])
    try:
        scores = None if score_column is None else numbers_of(table, score_column, "score column")
        labels = labels_of(table, label) if label is not None and label in table.columns else None
        return ReferenceFile(file, schema, feature_frame(table, schema), scores, labels, guesses)
    except DataError as error:
        raise DataError(f"{file}: {error}") from error


def fit_to_reference(
    reference: ReferenceFile,
    model: str,
    version: str,
    *,
    threshold: float | None,
    code_revision: str,
    seed: int,
    now: datetime,
) -> Baseline:
    """The baseline of `model`/`version`. With scores, labels and a threshold it also holds the performance.

    Raises DataError.
    """
    scores, labels = reference.scores, reference.labels
    if threshold is not None and scores is None:
        raise DataError(f"--threshold {threshold:g} has no scores to apply to: name them with --score-column")
    counted = count_references(reference.features, reference.schema, scores, seed)
    positives = None if threshold is None or scores is None else count_positives(scores, threshold)
    performance = None
    if threshold is not None and scores is not None and labels is not None and 0 < labels.sum() < labels.size:
        performance = evaluate(labels, scores, threshold)
    origin = Origin(model, version, now, reference.digest, code_revision)
    return counted.baseline(origin, threshold, positives, performance)


def _inferred(file: Path, score_column: str | None) -> tuple[FeatureSchema, tuple[Guess, ...]]:
    roles = {} if score_column is None else {score_column: "the score"}
    guesses = guess_columns(read_table(file), roles)
    return guessed_schema(guesses), guesses
