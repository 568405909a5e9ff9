"""Pictured: the figures of a tuned model, and the numbers in them that its evaluation keeps."""

from __future__ import annotations

from dataclasses import dataclass
from os import cpu_count
from typing import Any

from sklearn.base import clone

from training.configuration.config import Config
from training.data.samples import Samples
from training.fitting.calibrate import uncalibrated
from training.fitting.stopwatch import Stopwatch
from training.fitting.tune import Tuned
from training.pictures.curves import Ground, learning_curve, validation_curve
from training.pictures.figures import figures
from training.pictures.figures_tuned import bars, confusion, curve_figure, threshold_costs
from training.pictures.importance import importance
from training.pictures.shap_summary import shap_summary


@dataclass(frozen=True, eq=False)
class Pictured:
    """figures: file name -> figure. importance: feature -> loss of AUC without it, the largest first."""

    figures: dict[str, Any]
    importance: dict[str, float]


def pictured(samples: Samples, config: Config, tuned: Tuned, watch: Stopwatch) -> Pictured:
    """Everything that training.yaml's `pictures` asks for. Nothing is chosen by what they show. Raises ConfigError."""
    test, threshold = tuned.parts.test, tuned.fitted.threshold
    features, labels = samples.features.iloc[test], samples.labels[test]
    made = figures(labels, tuned.scores, threshold)
    made["confusion.png"] = confusion(labels, tuned.scores >= threshold)
    made["threshold_costs.png"] = threshold_costs(labels, tuned.scores, threshold, config.costs)
    inner, _ = uncalibrated(tuned.fitted.pipeline)
    lost: dict[str, float] = {}
    if rows := config.pictures.importance:
        watch.begin("ask what each feature matters")
        lost = importance(tuned.fitted.pipeline, features, labels, rows, config.seed)
        made["importance.png"] = bars(lost, "Importance, test rows", "loss of AUC")
        if (moved := shap_summary(inner, features)) is not None:
            made["shap_summary.png"] = bars(moved, "SHAP, test rows", "mean |value|")
        watch.lap("ask what each feature matters")
    if config.pictures.curves:
        watch.begin("draw curves")
        train = tuned.parts.train
        ground = Ground(
            clone(inner),
            samples.features.iloc[train],
            samples.labels[train],
            config.seed,
            config.jobs or cpu_count() or 1,
        )
        made["learning_curve.png"] = curve_figure(learning_curve(ground, tuned.folds), "Learning curve")
        if config.search is not None and (curve := validation_curve(ground, config.search)) is not None:
            made["validation_curve.png"] = curve_figure(curve, "Validation curve, a third of the rows")
        watch.lap("draw curves")
    return Pictured(made, lost)
