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
from training.baselines.dependence import Judged, with_dependence
from training.baselines.histograms import Origin, count_positives, count_references
from training.baselines.natural import Scored, with_natural_variation
from training.baselines.outcomes import truths_of, with_outcomes, with_residuals
from training.baselines.partial_dependence import Ask
from training.data.columns import feature_frame, labels_of, numbers_of
from training.data.description import read_description
from training.data.infer import TIMES, Guess, guess_columns, guessed_schema
from training.data.tables import read_table
from training.data.times import Times, times_of
from training.errors import DataError
from training.evaluation.measures import evaluate
from training.fitting.pipeline import scores_of


@dataclass(frozen=True)
class ReferenceFile:
    """What a reference file holds. guesses: what columns were taken for, empty where a description said it.
    labels: truths 0 and 1; targets: truths of a regression; at most one is there. label_column: where they were asked
    for by name. estimator: the model that gave the scores, None where a column did. times: of the rows, where they were
    asked for. time_columns: those that hold times, asked for or not.
    """

    file: Path
    schema: FeatureSchema
    features: pd.DataFrame
    scores: npt.NDArray[np.float64] | None
    labels: npt.NDArray[np.int64] | None
    guesses: tuple[Guess, ...]
    estimator: Any = None
    targets: npt.NDArray[np.float64] | None = None
    label_column: str | None = None
    times: Times | None = None
    time_columns: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the file, 64 hex digits."""
        return hashlib.sha256(self.file.read_bytes()).hexdigest()

    def scored_by(self, estimator: Any) -> ReferenceFile:
        """With the scores that `estimator` gives these rows. Raises DataError when it cannot take them."""
        try:
            scores = scores_of(estimator, self.features)
        except (ValueError, TypeError, KeyError) as error:
            reason = " ".join(str(error).split())[:200]
            raise DataError(f"{self.file}: the model cannot score these rows: {reason}") from error
        if not np.isfinite(scores).all():
            wrong = int(np.flatnonzero(~np.isfinite(scores))[0])
            raise DataError(
                f"{self.file}: the model's score of row {wrong + 1} is {scores[wrong]}: leave such rows out"
            )
        return replace(self, scores=scores, estimator=estimator)

    @property
    def ask(self) -> Ask | None:
        """The model that gave the scores, as a function; None where a column did."""
        return None if self.estimator is None else lambda rows: scores_of(self.estimator, rows)


def read_reference(
    file: Path,
    description: Path | None,
    score_column: str | None,
    time_column: str | None = None,
    *,
    timed: bool = False,
    label_column: str | None = None,
    decided: bool = False,
) -> ReferenceFile:
    """Read `file` as the description says, or as its columns look. Raises DataError.

    label_column: the truths, instead of the label that the description names. decided: a threshold is given.

    timed: its times too, from time_column or else from the column that the description names.
    """
    if description is None:
        schema, guesses = _inferred(
            file, {score_column: "the score", time_column: "the time", label_column: "the label"}
        )
        label, named = None, "--time"
    else:
        said, _ = read_description(description)
        schema, guesses, label = said.schema, (), said.label
        named = "--time" if time_column else f"time in {description}; --time goes before it"
        time_column = time_column or said.time
    if timed and time_column is None:
        raise DataError("--window needs the rows' times: name their column with --time, or as time in the dataset.toml")
    if timed and time_column in schema.names:
        raise DataError(f"column {time_column!r} is the time and also a feature: remove it from the features")
    if label_column is not None and label_column in schema.names:
        raise DataError(f"column {label_column!r} is the label and also a feature: remove it from the features")
    text = [feature.name for feature in schema.features if feature.kind != "numeric"]
    table = read_table(file, text if label is None else [*text, label])
    try:
        targets = None
        scores = None
        if score_column is not None:
            scores = numbers_of(table, score_column, "score column", "--score-column")
        if label_column is not None:
            labels, targets = truths_of(table, label_column, decided=decided)
        else:
            labels = labels_of(table, label) if label is not None and label in table.columns else None
        times = times_of(table, time_column, named) if timed and time_column is not None else None
        known = {time_column, *(guess.column for guess in guesses if guess.why == TIMES)}
        return ReferenceFile(
            file,
            schema,
            feature_frame(table, schema),
            scores,
            labels,
            guesses,
            targets=targets,
            label_column=label_column,
            times=times,
            time_columns=tuple(str(name) for name in table.columns if name in known),
        )
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
    window: int | None = None,
) -> Baseline:
    """The baseline of `model`/`version`. With scores, labels and a threshold it also holds the performance.

    window: length in milliseconds of the windows that natural variation is learnt from; None: it is not.
    Raises DataError.
    """
    scores, labels, targets = reference.scores, reference.labels, reference.targets
    if threshold is not None and scores is None:
        raise DataError(f"--threshold {threshold:g} has no scores to apply to: name them with --score-column")
    if reference.label_column is not None and scores is None:
        raise DataError(
            "--label-column has no scores to be compared with: name them with --score-column, or let the model itself "
            "score the rows with --attach"
        )
    if threshold is not None and scores is not None:
        _check_threshold(threshold, scores)
    counted = count_references(reference.features, reference.schema, scores, seed)
    if scores is not None:
        counted = with_dependence(counted, Judged(reference.features, scores, threshold, reference.ask), seed)
    positives = None if threshold is None or scores is None else count_positives(scores, threshold)
    performance = None
    if threshold is not None and scores is not None and labels is not None and 0 < labels.sum() < labels.size:
        performance = evaluate(labels, scores, threshold)
    origin = Origin(model, version, now, reference.digest, code_revision)
    baseline = counted.baseline(origin, threshold, positives, performance)
    if scores is not None and labels is not None and 0 < labels.sum() < labels.size:
        baseline = with_outcomes(baseline, scores, labels)
    if scores is not None and targets is not None:
        baseline = with_residuals(baseline, scores, targets)
    if window is None or reference.times is None:
        return baseline
    truths = targets if targets is not None else labels
    scored = None if scores is None else Scored(scores, np.arange(scores.size), truths)
    return with_natural_variation(baseline, reference.features, scored, reference.times, window)


def _check_threshold(threshold: float, scores: npt.NDArray[np.float64]) -> None:
    least, most = float(scores.min()), float(scores.max())
    if np.isfinite(threshold) and not 0 <= threshold <= 1 and least >= 0 and most <= 1:
        raise DataError(
            f"--threshold {threshold:g}: the scores are between 0 and 1 (here {least:.3g} to {most:.3g}), so every row "
            "would be decided alike; give a score between those"
        )


def _inferred(file: Path, roles: dict[str | None, str]) -> tuple[FeatureSchema, tuple[Guess, ...]]:
    guesses = guess_columns(read_table(file), {column: role for column, role in roles.items() if column is not None})
    return guessed_schema(guesses), guesses
