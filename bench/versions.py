"""A version as `training train --config` makes it, and what the gates look at, without a registry.

Left out is what no gate asks for, and half of the time goes into: figures, curves, importance, the model file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.base import clone

from bench.benchmark import BenchError
from contracts.baseline import Baseline
from training.baselines.histograms import Origin, count_references
from training.baselines.natural import Scored, with_natural_variation
from training.baselines.outcomes import with_outcomes
from training.baselines.windows import window_length
from training.compiled.export import export
from training.configuration.config import Config
from training.data.columns import feature_frame, labels_of
from training.data.description import Description
from training.data.samples import Samples
from training.data.times import times_of
from training.evaluation.alone import strongest
from training.evaluation.measures import measure
from training.evaluation.record import Calibrated
from training.fitting.fit import Fitted, fit_to, one_openmp_thread
from training.fitting.folds import cross_validated
from training.fitting.pipeline import scores_of
from training.fitting.stopwatch import Stopwatch
from training.fitting.thresholds import choose_threshold
from training.fitting.tune import Tuned, prepare
from training.gate import GateReport, judge
from training.gates.evidence import Champion, Evidence
from training.gates.rules import Rules
from training.making.evaluated import evaluation_of, held_out
from training.registry.records import Version

_MOMENT = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, eq=False)
class Trained:
    """fitted: its model and threshold. evidence: for the gates, without a champion."""

    fitted: Fitted
    evidence: Evidence

    @property
    def model(self) -> Any:
        """Gives the scores (training.fitting.pipeline.scores_of)."""
        return self.fitted.pipeline

    @property
    def baseline(self) -> Baseline:
        """It holds how its scores turned out."""
        return self.evidence.baseline

    def beside(self, champion: Trained) -> Evidence:
        """With the champion's scores of the same rows."""
        features = self.evidence.features[list(champion.baseline.schema.names)]
        best = strongest(champion.evidence.features, champion.evidence.labels)
        known = champion.baseline.version, champion.baseline, scores_of(champion.model, features)
        return replace(self.evidence, champion=Champion(*known, strongest=best))


def samples_of(description: Description, rows: pd.DataFrame, *, timed: bool = False) -> Samples:
    """Rows of a data set as training reads them. timed: with their times."""
    if description.label is None:
        raise BenchError(f"data set {description.name!r} names no label: a model cannot be fitted to it")
    features, labels = feature_frame(rows, description.schema), labels_of(rows, description.label)
    times = times_of(rows, str(description.time), "time") if timed else None
    return Samples(description, Path(description.file), features, labels, times)


def trained(samples: Samples, config: Config, version: str) -> Trained:
    """Fit, judge and describe one version; with times and a config.window its natural variation is learnt."""
    prepared = prepare(samples, config, Stopwatch())
    parts, model = prepared.parts, clone(prepared.pipeline)
    features, labels = samples.features, samples.labels
    fit_x, fit_y, check_y = features.iloc[parts.train], labels[parts.train], labels[parts.validation]
    rule, costs, seed = config.threshold, config.costs, config.seed
    folds = cross_validated(model, fit_x, fit_y, folds=config.folds, seed=seed, jobs=1, rule=rule, costs=costs)
    fit_to(model, fit_x, fit_y)
    with one_openmp_thread():
        scores, tested = (scores_of(model, features.iloc[rows]) for rows in (parts.validation, parts.test))
    threshold = choose_threshold(rule, check_y, scores, costs)
    found = measure(labels[parts.test], tested, threshold, costs)
    references = count_references(features.iloc[parts.present], samples.schema, scores, seed)
    rows = parts.validation, parts.present
    fitted = Fitted(model, {}, len(fit_y), check_y, scores, threshold, found, references, *rows)
    error = found["calibration_error"]
    calibrated = Calibrated(error_before=error, error_after=error)
    tuned = Tuned(fitted, parts, found, tested, folds, calibrated, None, None, ())
    known = Version(config.model, version, f"m-{version}")
    exported = export(model, samples.schema, features, model=config.model, version=version, seed=seed)
    evaluation = evaluation_of(known, samples, config, tuned, exported, now=_MOMENT, code_revision="bench", seconds={})
    origin = Origin(config.model, version, _MOMENT, samples.digest, "bench")
    baseline = with_outcomes(references.baseline(origin, threshold, fitted.positives, found), scores, check_y)
    if samples.times is not None and config.window is not None:
        scored = Scored(scores, parts.validation)
        length = window_length(config.window)
        baseline = with_natural_variation(baseline, features, scored, samples.times, length, parts.present)
    tests = held_out(samples, tuned)
    evidence = Evidence(evaluation, baseline, tests.features, tests.labels, tests.scores, tests.segments, None)
    return Trained(fitted, evidence)


def judged(evidence: Evidence) -> GateReport:
    """By the gates as they come."""
    return judge(evidence, Rules(), at=_MOMENT, by="bench")
