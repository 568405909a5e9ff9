"""Fit an estimator to one part of the samples and judge it by the other. Nothing is stored here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from contracts.baseline import Positives
from training.baselines.dependence import Judged, with_dependence
from training.baselines.histograms import References, count_positives, count_references
from training.data.columns import Labels
from training.data.samples import Samples
from training.data.splits import Parts, Rows, stratified
from training.evaluation.measures import Scores, best_f1_threshold, evaluate
from training.fitting.pipeline import build_pipeline, scores_of
from training.fitting.stopwatch import Stopwatch

VALIDATION_SHARE = 0.25


@dataclass(frozen=True)
class Fitted:
    """A fitted pipeline, and its scores and metrics on the validation rows: those that it was not fitted on.

    pipeline: gives the scores; calibrated, it is no Pipeline itself. params: of its classifier. labels, scores: of the
    validation rows, shape (validation rows,). validation_rows: their positions in the samples. threshold: decide
    positively at this score. counted: positions of the rows that the references of features were counted of, rising.
    """

    pipeline: Any
    params: dict[str, str]
    fitted_rows: int
    labels: Labels
    scores: Scores
    threshold: float
    metrics: dict[str, float]
    references: References
    validation_rows: Rows
    counted: Rows

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
    parts = stratified(samples.labels, VALIDATION_SHARE, 0.0, seed)
    fit_to(pipeline, samples.features.iloc[parts.train], samples.labels[parts.train])
    watch.lap("fit")
    check_y = samples.labels[parts.validation]
    with one_openmp_thread():
        scores = scores_of(pipeline, samples.features.iloc[parts.validation])
    if threshold is None:
        threshold = best_f1_threshold(check_y, scores)
    metrics = evaluate(check_y, scores, threshold)
    watch.lap("evaluate")
    references = referenced(samples, parts, pipeline, scores, threshold, seed, watch)
    return Fitted(
        pipeline,
        {name: str(value) for name, value in pipeline["classify"].get_params().items()},
        len(parts.train),
        check_y,
        scores,
        threshold,
        metrics,
        references,
        parts.validation,
        parts.present,
    )


def fit_to(pipeline: Any, features: pd.DataFrame, labels: Labels) -> Any:
    """The pipeline, fitted on one OpenMP thread."""
    # One: 1.5 s on any machine. Two take 1.0 s on idle cores, but they wait for each other spinning: when another
    # process uses a core the same fit took 25 and 48 s.
    with one_openmp_thread():
        return pipeline.fit(features, labels)


def one_openmp_thread() -> Any:
    """A context in which nothing waits spinning for other threads."""
    return threadpool_limits(limits=1, user_api="openmp")


def referenced(
    samples: Samples, parts: Parts, model: Any, scores: Scores, threshold: float, seed: int, watch: Stopwatch
) -> References:
    """What the baseline counts: features over all rows of the present world (they do not depend on the fit:
    docs/training.md), the score and how it depends on them over the validation rows, which the model has not seen.
    scores: of those. Raises DataError.
    """
    watch.begin("count the baseline")
    references = count_references(samples.features.iloc[parts.present], samples.schema, scores, seed)
    watch.lap("count the baseline")
    watch.begin("ask the model about values")
    judged = Judged(samples.features.iloc[parts.validation], scores, threshold, lambda rows: scores_of(model, rows))
    with one_openmp_thread():
        references = with_dependence(references, judged, seed)
    watch.lap("ask the model about values")
    return references
