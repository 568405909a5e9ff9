"""Fit an estimator to one part of the samples and judge it by the other. Nothing is stored here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from contracts.baseline import Positives
from training.baseline import References, count_positives, count_references
from training.data import Samples
from training.dependence import Judged, with_dependence
from training.evaluate import Labels, Scores, best_f1_threshold, evaluate
from training.pipeline import build_pipeline, scores_of
from training.stopwatch import Stopwatch

VALIDATION_SHARE = 0.25


@dataclass(frozen=True)
class Fitted:
    """A fitted pipeline, and its scores and metrics on the validation rows: those that it was not fitted on.

    labels, scores: of the validation rows, shape (validation rows,). validation_rows: their positions in the samples.
    threshold: decide positively at this score.
    """

    pipeline: Any
    fitted_rows: int
    labels: Labels
    scores: Scores
    threshold: float
    metrics: dict[str, float]
    references: References
    validation_rows: npt.NDArray[np.intp]

    @property
    def positives(self) -> Positives:
        """Validation rows that are decided positively."""
        return count_positives(self.scores, self.threshold)


def fit(samples: Samples, estimator: str, seed: int, threshold: float | None, watch: Stopwatch) -> Fitted:
    """Fit to three quarters of the rows, evaluate on the rest (both hold the same share of positives).

    threshold None: where F1 is largest on the validation rows; F1 itself is then a little flattered by the choice.
    Raises UnknownEstimator and DataError.
    """
    pipeline = build_pipeline(estimator, samples.schema, seed)
    fit_x, check_x, fit_y, check_y, _, check_rows = train_test_split(
        samples.features,
        samples.labels,
        np.arange(len(samples.labels)),
        test_size=VALIDATION_SHARE,
        stratify=samples.labels,
        random_state=seed,
    )
    # One OpenMP thread: 1.5 s on any machine. Two take 1.0 s on idle cores, but they wait for each other spinning: when
    # another process uses a core the same fit took 25 and 48 s.
    with threadpool_limits(limits=1, user_api="openmp"):
        pipeline.fit(fit_x, fit_y)
        watch.lap("fit")
        scores = scores_of(pipeline, check_x)
    if threshold is None:
        threshold = best_f1_threshold(check_y, scores)
    metrics = evaluate(check_y, scores, threshold)
    watch.lap("evaluate")
    # Features are counted over all rows, the score only over rows that the model has not seen.
    references = count_references(samples.features, samples.schema, scores, seed)
    watch.lap("count the baseline")
    judged = Judged(check_x, scores, threshold, lambda rows: scores_of(pipeline, rows))
    references = with_dependence(references, judged, seed)
    watch.lap("ask the model about values")
    return Fitted(pipeline, len(fit_y), check_y, scores, threshold, metrics, references, check_rows)
