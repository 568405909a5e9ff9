"""Recorded: what MLflow keeps of one training run: parameters, metrics, figures, and with a training.yaml also the
metrics of each fold, every candidate of the search, the configuration and the environment; and the event that tells.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import msgspec

from contracts.model_events import ModelEvent
from training.configuration.config import Config
from training.data.samples import Samples
from training.fitting.fit import Fitted
from training.fitting.thresholds import said
from training.fitting.tune import Tuned
from training.making.evaluated import environment
from training.pictures.figures import figures
from training.pictures.pictured import Pictured
from training.registry.records import DataSource, Run, Version

_EXAMPLE_ROWS = 5


def recorded(
    samples: Samples, fitted: Fitted, *, estimator: str, seed: int, threshold: float | None, code_revision: str
) -> Run:
    """Of a model that was fitted without a configuration. threshold: that was asked for."""
    return Run(
        pipeline=fitted.pipeline,
        schema=samples.schema,
        example=samples.features.head(_EXAMPLE_ROWS),
        data=DataSource(samples.description.name, samples.file, samples.digest, len(samples.labels)),
        params={
            "estimator": estimator,
            "seed": str(seed),
            "threshold": repr(fitted.threshold),
            "threshold_chosen_by": "best F1 on the validation rows" if threshold is None else "the caller",
            "fitted_rows": str(fitted.fitted_rows),
            "validation_rows": str(len(fitted.labels)),
            "baseline_rows": str(fitted.references.rows),
            **fitted.params,
        },
        metrics=fitted.metrics,
        tags={"data": samples.description.name, "data_digest": samples.digest, "code_revision": code_revision},
        figures=figures(fitted.labels, fitted.scores, fitted.threshold),
    )


SOURCE_TAG = "data_source"
"""Of a version: the path of the described data that it comes from, as this machine knows it."""
WORK_TAG = "retraining"
"""Of a version: the retraining that it was made for."""


def with_tuning(run: Run, config: Config, tuned: Tuned, pictures: Pictured, source: Path) -> Run:
    """With what a configuration adds. metrics: of the test rows; those of the validation rows are named so. source: the
    described data.
    """
    metrics = {**{f"validation_{name}": value for name, value in tuned.fitted.metrics.items()}, **tuned.metrics}
    files = {"training.json": _readable(config), "environment.json": _readable(environment())}
    if tuned.table is not None and tuned.searched is not None:
        metrics["search_score"] = tuned.searched.score
        files["search.csv"] = tuned.table.to_csv(index=False).encode()
    params = {
        "threshold_chosen_by": said(config.threshold),
        "test_rows": str(len(tuned.parts.test)),
        "split": config.split.by,
        "calibration": config.calibration,
        "folds": str(len(tuned.folds)),
    }
    return replace(
        run,
        params={**run.params, **params},
        metrics=metrics,
        series={f"fold_{name}": tuple(fold[name] for fold in tuned.folds) for name in tuned.folds[0]},
        files=files,
        figures=pictures.figures,
        tags={**run.tags, SOURCE_TAG: str(source.resolve())},
    )


def registered_event(
    version: Version,
    *,
    estimator: str,
    rows: int,
    data: str,
    digest: str,
    code_revision: str,
    auc: float,
    at: datetime,
    by: str,
) -> ModelEvent:
    """On `model-events`: there is a new version. rows, data, digest: of what it was trained on. auc: of the validation
    rows.
    """
    return ModelEvent(
        id=f"registered/{version.model}/{version.version}",
        kind="registered",
        at=at,
        model=version.model,
        version=version.version,
        by=by,
        reason=f"{estimator} trained on {rows:,} rows of {data}",
        details={"data_digest": digest, "code_revision": code_revision, "validation_auc": auc},
    )


def _readable(found: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(found), indent=2)
