"""Evaluated: a tuned model's Evaluation and its held-out rows, as files that travel with the version."""

from __future__ import annotations

import platform
from datetime import datetime
from importlib.metadata import version as installed
from pathlib import PurePosixPath

import msgspec
import numpy as np
import pandas as pd
import skops.io

from contracts.times import moment
from training.compiled.export import Export
from training.compiled.scorer_size import scorer_size
from training.configuration.config import Config
from training.data.samples import Samples
from training.data.splits import Rows
from training.evaluation.held_out import HeldOut, scores_digest
from training.evaluation.record import EVALUATION_FILE, TEST_FILE, Evaluation, Part
from training.fitting.thresholds import said
from training.fitting.tune import Tuned
from training.registry.records import Version

_LIBRARIES = ("numpy", "pandas", "scikit-learn", "scipy", "skops", "onnxruntime", "mlflow", "joblib")


def evaluation_of(
    version: Version,
    samples: Samples,
    config: Config,
    tuned: Tuned,
    exported: Export,
    *,
    now: datetime,
    code_revision: str,
    seconds: dict[str, float],
    importance: dict[str, float] | None = None,
) -> Evaluation:
    """What is known of the version. seconds: of the steps so far."""
    fitted = tuned.fitted
    model_bytes = len(skops.io.dumps(fitted.pipeline))
    test = samples.features.iloc[tuned.parts.test]
    return Evaluation(
        model=version.model,
        version=version.version,
        created=now,
        data=samples.description.name,
        data_digest=samples.digest,
        scores_digest=scores_digest(tuned.scores),
        code_revision=code_revision,
        seed=config.seed,
        estimator=config.estimator.name,
        params=fitted.params,
        split=config.split.by,
        rows={
            "train": part_of(samples, tuned.parts.train),
            "validation": part_of(samples, tuned.parts.validation),
            "test": part_of(samples, tuned.parts.test),
        },
        threshold=fitted.threshold,
        threshold_rule=said(config.threshold),
        costs=config.costs,
        metrics=tuned.metrics,
        validation=fitted.metrics,
        folds=tuned.folds,
        calibration=tuned.calibration,
        search=tuned.searched,
        scorer=scorer_size(exported, fitted.pipeline, model_bytes, test, samples.schema),
        model_bytes=model_bytes,
        segments=config.segments,
        environment=environment(),
        warnings=tuned.warnings,
        seconds={step: round(taken, 3) for step, taken in seconds.items()},
        config=msgspec.json.encode(config, order="deterministic").decode(),
        importance=importance or {},
        reference=part_of(samples, fitted.counted),
    )


def evaluation_files(evaluation: Evaluation, rows: HeldOut) -> dict[str, bytes]:
    """File name in evaluation/ -> bytes."""
    return {
        PurePosixPath(EVALUATION_FILE).name: evaluation.to_bytes(),
        PurePosixPath(TEST_FILE).name: rows.to_parquet(),
    }


def held_out(samples: Samples, tuned: Tuned) -> HeldOut:
    """The test rows with the scores that they got."""
    rows = tuned.parts.test
    segments = pd.DataFrame(index=samples.features.index) if samples.segments is None else samples.segments
    return HeldOut(
        samples.features.iloc[rows].reset_index(drop=True),
        samples.labels[rows],
        tuned.scores,
        None if samples.times is None else samples.times.milliseconds[rows],
        segments.iloc[rows].reset_index(drop=True),
    )


def environment() -> dict[str, str]:
    """Python and the libraries that scores depend on."""
    return {"python": platform.python_version()} | {name: installed(name) for name in _LIBRARIES}


def part_of(samples: Samples, rows: Rows) -> Part:
    """How many rows, how many of them positive, and from when to when."""
    first = last = None
    if samples.times is not None:
        times = samples.times.milliseconds[rows]
        first, last = moment(int(np.min(times))), moment(int(np.max(times)))
    return Part(rows=len(rows), positives=int(samples.labels[rows].sum()), first=first, last=last)
