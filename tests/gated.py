"""Versions as the gates look at them: test rows whose truth follows a known risk, and scores as good as one wants."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import roc_auc_score

from tests.builders import NOON, a_baseline, a_model_version, a_schema, reference_columns
from tests.registered import reference_frame
from training.evaluation.held_out import HeldOut
from training.evaluation.record import EVALUATION_FOLDER, Calibrated, Costs, Evaluation, Part, ScorerSize
from training.gate import GATES, GateReport, judge
from training.gates.evidence import Champion, Evidence, Finding
from training.gates.rules import NoDegradation, Rules
from training.registry.registered import Registered
from training.registry.store import Registry

ROWS = 4_000
FEW = Rules(no_degradation=NoDegradation(resamples=200))
"""The usual thresholds, with fewer resamples."""
Scores = npt.NDArray[np.float64]


def an_evaluation(
    labels: Any, scores: Scores, *, model: str = "flights", version: str = "2", **other: Any
) -> Evaluation:
    """Three folds that agree, and a compiled form as they usually are."""
    said: dict[str, Any] = {
        "created": NOON,
        "data": "flights",
        "data_digest": "d" * 64,
        "scores_digest": "s" * 64,
        "code_revision": "test",
        "seed": 0,
        "estimator": "hgb",
        "params": {},
        "split": "stratified",
        "rows": {"test": Part(rows=len(labels), positives=int(labels.sum()))},
        "threshold": 0.5,
        "threshold_rule": "best F1",
        "costs": Costs(),
        "metrics": {"auc": float(roc_auc_score(labels, scores))},
        "validation": {},
        "folds": ({"auc": 0.8}, {"auc": 0.81}, {"auc": 0.79}),
        "calibration": Calibrated(error_before=0.01, error_after=0.01),
        "search": None,
        "scorer": ScorerSize(kind="compiled-trees", bytes=50_000, one_row=10.0, batch_row=4.0),
        "model_bytes": 90_000,
    }
    return Evaluation(model=model, version=version, **{**said, **other})


def risks(features: pd.DataFrame, sharpness: float = 1.5) -> Scores:
    """Probability of a positive row: follows `distance` and `seats`; AUC about .85 at the usual sharpness."""
    z = (features["distance"] - 100) / 10 + (features["seats"] - 110) / 10
    return np.asarray(1 / (1 + np.exp(-sharpness * (z - 0.5))), dtype=np.float64)


def blurred(scores: Scores, by: float, seed: int = 5) -> Scores:
    """Worse scores: noise on their log-odds, of this standard deviation."""
    logit = np.log(scores / (1 - scores)) + np.random.default_rng(seed).normal(0, by, scores.size)
    return np.asarray(1 / (1 + np.exp(-logit)))


def evidence(*, rows: int = ROWS, seed: int = 3, champion_blur: float | None = 0.5, **other: Any) -> Evidence:
    """A challenger whose scores are the true risks; its champion's are blurred by so much, None: there is none."""
    schema = a_schema()
    columns = reference_columns(schema, rows, seed)
    features = pd.DataFrame({f.name: pd.Series(columns[f.name]) for f in schema.features})
    true = risks(features)
    labels = (np.random.default_rng(seed + 1).random(rows) < true).astype(np.int64)
    champion = None
    if champion_blur is not None:
        baseline = msgspec.structs.replace(a_baseline(version="1", schema=schema), performance={"auc": 0.84})
        champion = Champion("1", baseline, blurred(true, champion_blur) if champion_blur else true)
    made = Evidence(
        evaluation=an_evaluation(labels, true),
        baseline=a_baseline(version="2", schema=schema),
        features=features,
        labels=labels,
        scores=true,
        segments=pd.DataFrame(index=features.index),
        champion=champion,
    )
    return replace(made, **other)


def with_evaluation(made: Evidence, **changes: Any) -> Evidence:
    return replace(made, evaluation=msgspec.structs.replace(made.evaluation, **changes))


def report_of(made: Evidence, rules: Rules | None = None) -> GateReport:
    return judge(made, rules or FEW, at=NOON, by="test")


def found(made: Evidence, gate: str, rules: Rules | None = None) -> Finding:
    """What one gate says. The others are not asked."""
    answer = dict(GATES)[gate](made, rules or FEW)
    return Finding(gate, "passed" if answer.passed else "failed", answer.says, answer.figures)


def a_candidate(
    tracking_uri: str,
    *,
    model: str = "flights",
    alias: str | None = "challenger",
    seed: int = 0,
    shuffled: bool = False,
) -> str:
    """Register a version with an evaluation, as `train --config` does; returns its number.

    Its model is a logistic regression on the first number, and its labels follow that. shuffled: they follow nothing.
    """
    schema = a_schema()
    version = a_model_version(tracking_uri, model=model, schema=schema, alias=alias, seed=seed)
    registered = registered_at(tracking_uri, model)
    there = registered.find(version)
    features = reference_frame(schema, ROWS)
    scores = np.asarray(registered.registry.load(there).predict_proba(features)[:, 1], dtype=np.float64)
    draw = np.random.default_rng(11)
    kept = np.clip(scores, 1e-6, 1 - 1e-6)
    calm = 1 / (1 + np.sqrt((1 - kept) / kept))  # half the log-odds: a model that knows less, and is right about it
    labels = (draw.random(ROWS) < calm).astype(np.int64)
    if shuffled:
        labels = draw.permutation(labels)
    held_out = HeldOut(features, labels, calm, None, pd.DataFrame(index=features.index))
    evaluation = an_evaluation(labels, calm, model=model, version=version, seed=seed)
    files = {"evaluation.json": evaluation.to_bytes(), "test.parquet": held_out.to_parquet()}
    registered.attach(there, EVALUATION_FOLDER, files)
    return version


def registered_at(tracking_uri: str, model: str = "flights") -> Registered:
    """Opened."""
    from pathlib import Path

    folder = Path(tracking_uri.removeprefix("sqlite:///")).parent
    registry = Registry(tracking_uri, folder / "artifacts", "tests")
    registry.open()
    return Registered(registry, model)


def moment_of(seconds: float) -> datetime:
    return datetime.fromtimestamp(NOON.timestamp() + seconds, UTC)
