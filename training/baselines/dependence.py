"""How the model's score depends on each feature, as a baseline keeps it: means of the bins, and partial dependence.

Everything is measured on rows that the model was not fitted on: of the others it is too sure, and its effects look
larger than they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec
import numpy as np
import pandas as pd

from contracts.baseline import Reference
from contracts.binning import Bins, Floats
from contracts.dependence import ScoreDependence
from contracts.schema import Feature
from training.baselines.bin_means import Outcomes, bin_means, score_means
from training.baselines.histograms import References
from training.baselines.partial_dependence import Answer, Ask, Sample
from training.baselines.representatives import Value, levels, numbers

_TYPICAL_VALUES = 26
"""Values that are asked about each feature, about."""


@dataclass(frozen=True, eq=False)
class Judged:
    """Rows that the model was not fitted on. features: a feature frame; scores: of its rows, shape (rows,). threshold:
    None where nothing is decided. ask: the model, None where it is out of reach."""

    features: pd.DataFrame
    scores: Floats
    threshold: float | None
    ask: Ask | None


def with_dependence(references: References, judged: Judged, seed: int) -> References:
    """The references, with how the score depends on each. seed: of the rows that the model is asked about."""
    features, scores = judged.features, judged.scores
    positive = None if judged.threshold is None else (scores >= judged.threshold).astype(np.float64)
    outcomes = Outcomes(scores, positive)
    monitored = references.schema.monitored
    sample = None
    if judged.ask is not None:
        sample = Sample(features, judged.ask, judged.threshold, _TYPICAL_VALUES * len(monitored), seed)
    known = {}
    for feature in monitored:
        reference, column = references.features[feature.name], features[feature.name]
        means = bin_means(reference, column, outcomes)
        if sample is not None:
            means = _asked(means, reference, feature, column, sample, seed)
        known[feature.name] = msgspec.structs.replace(reference, dependence=means)
    score = msgspec.structs.replace(
        references.score, dependence=score_means(references.score, scores, judged.threshold)
    )
    return replace(references, features=known, score=score)


def _asked(
    means: ScoreDependence, reference: Reference, feature: Feature, column: pd.Series, sample: Sample, seed: int
) -> ScoreDependence:
    """`means` with the partial dependence of the feature, as far as the model answers."""
    bins = reference.bins
    if isinstance(bins, Bins):
        at = numbers(bins, column.to_numpy(dtype=np.float64))
        values: list[Value | None] = list(at.tolist())
        names = [_where(value, bins) for value in at.tolist()]
    else:
        at = np.empty(0)
        values = levels(bins, column, sample.rows, np.random.default_rng(seed))
        names = ["known levels"] * (bins.size - 1) + ["an unseen level"]
    *answers, missing = sample.set_to(feature, [*values, np.nan])
    refused = _refused([*names, "no value"], [*answers, missing])
    if all(answer.score is None for answer in answers) or sample.untouched.score is None:
        return msgspec.structs.replace(means, refused=refused)
    kept = [i for i, answer in enumerate(answers) if at.size == 0 or answer.score is not None]
    decided = sample.untouched.positives is not None
    return msgspec.structs.replace(
        means,
        at=tuple(at[kept].tolist()) if at.size else (),
        partial=tuple(answers[i].score for i in kept),
        partial_positives=tuple(answers[i].positives for i in kept) if decided else None,
        partial_missing=missing.score,
        partial_missing_positives=missing.positives,
        sample_score=sample.untouched.score,
        sample_positives=sample.untouched.positives,
        refused=refused,
    )


def _where(value: float, bins: Bins) -> str:
    return "values out of range" if value < bins.lowest or value > bins.highest else "values in range"


def _refused(names: list[str], answers: list[Answer]) -> str:
    """What the model would not answer, and the first reason it gave."""
    refusals = {name: answer.refusal for name, answer in zip(names, answers, strict=True) if answer.refusal}
    if not refusals:
        return ""
    return f"{', '.join(refusals)} ({next(iter(refusals.values()))})"
