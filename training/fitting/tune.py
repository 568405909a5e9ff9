"""Tune: everything that training.yaml asks for between the data and the registry, in an order that keeps the test rows
out of every choice: check, search, cross-validate, fit, calibrate, choose the threshold, and then judge, once.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sklearn.base import clone

from training.baselines.natural import borrowed
from training.baselines.windows import window_length
from training.configuration.config import Config
from training.data.samples import Samples
from training.data.splits import Parts, split
from training.evaluation.measures import Scores, calibration_error, measure
from training.evaluation.record import Calibrated, Searched
from training.fitting.calibrate import calibrated
from training.fitting.estimators import check_choice
from training.fitting.fit import Fitted, fit_to, one_openmp_thread, referenced
from training.fitting.folds import cross_validated
from training.fitting.pipeline import CLASSIFY, pipeline_of, scores_of
from training.fitting.rehearsal import rehearse
from training.fitting.search import search
from training.fitting.stopwatch import Stopwatch
from training.fitting.thresholds import choose_threshold
from training.validation.checks import validate


@dataclass(frozen=True, eq=False)
class Tuned:
    """A fitted model and what is known of it. metrics, scores: of the test rows. table: every candidate of the search,
    None without one.
    """

    fitted: Fitted
    parts: Parts
    metrics: dict[str, float]
    scores: Scores
    folds: tuple[dict[str, float], ...]
    calibration: Calibrated
    searched: Searched | None
    table: pd.DataFrame | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a tuning starts from. pipeline: unfitted, and rehearsed."""

    parts: Parts
    pipeline: Any
    warnings: tuple[str, ...]


def prepare(samples: Samples, config: Config, watch: Stopwatch) -> Prepared:
    """Everything that can be found wrong in seconds. Raises ConfigError, UnknownEstimator and DataError."""
    found = check_choice(config.estimator, config.prepare, config.search)
    times = None if samples.times is None else samples.times.milliseconds
    parts = split(samples.labels, times, config.split, config.seed, max(config.folds, _folds(config)))
    watch.begin("check the data")
    told = validate(samples, parts, config.checks)
    if samples.times is not None and config.window is not None:
        said = borrowed(samples.times, window_length(config.window), parts.present)
        told = (*told, said) if said else told
    watch.lap("check the data")
    pipeline = pipeline_of(found, samples.schema, config.seed, config.estimator.params, config.prepare)
    rehearse(pipeline, config.estimator.name, samples.features.iloc[parts.train], samples.labels[parts.train])
    watch.lap("rehearse")
    return Prepared(parts, pipeline, told)


def tune(samples: Samples, config: Config, prepared: Prepared, watch: Stopwatch) -> Tuned:
    """Raises ConfigError where a candidate of the search fails, DataError where no threshold reaches its target."""
    parts, pipeline = prepared.parts, clone(prepared.pipeline)
    features, labels = samples.features.iloc[parts.train], samples.labels[parts.train]
    jobs, searched, table = config.jobs or os.cpu_count() or 1, None, None
    if config.search is not None:
        watch.begin("search")
        best = search(pipeline, config.search, features, labels, config.seed, jobs, watch.audience.says)
        pipeline[CLASSIFY].set_params(**best.params)
        searched, table = best.searched, best.table
        watch.lap("search")
    watch.begin("cross-validate")
    folds = cross_validated(
        pipeline,
        features,
        labels,
        folds=config.folds,
        seed=config.seed,
        jobs=jobs,
        rule=config.threshold,
        costs=config.costs,
    )
    watch.lap("cross-validate")
    watch.begin("fit")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit_to(pipeline, features, labels)
    said = tuple(sorted({f"fit: {str(one.message).splitlines()[0]}" for one in caught}))
    watch.lap("fit")
    check_x, check_y = samples.features.iloc[parts.validation], samples.labels[parts.validation]
    test_x, test_y = samples.features.iloc[parts.test], samples.labels[parts.test]
    with one_openmp_thread():
        model = calibrated(pipeline, config.calibration, check_x, check_y)
        scores, tested, before = scores_of(model, check_x), scores_of(model, test_x), scores_of(pipeline, test_x)
    threshold = choose_threshold(config.threshold, check_y, scores, config.costs)
    fitted = Fitted(
        model,
        {name: str(value) for name, value in pipeline[CLASSIFY].get_params().items()},
        len(labels),
        check_y,
        scores,
        threshold,
        measure(check_y, scores, threshold, config.costs),
        referenced(samples, parts, model, scores, threshold, config.seed, watch),
        parts.validation,
        parts.present,
    )
    metrics = measure(test_y, tested, threshold, config.costs)
    errors = Calibrated(
        method=config.calibration,
        error_before=calibration_error(test_y, before),
        error_after=metrics["calibration_error"],
    )
    watch.lap("calibrate and judge")
    return Tuned(fitted, parts, metrics, tested, folds, errors, searched, table, (*prepared.warnings, *said))


def _folds(config: Config) -> int:
    return 0 if config.search is None else config.search.folds
