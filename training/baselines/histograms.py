"""Fit a baseline: reference histograms of the monitored features and of the score, with the null tables of ties."""

from __future__ import annotations

import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from contracts.baseline import Baseline, Positives, Reference
from contracts.binning import Bins, Levels
from contracts.errors import InvalidReference
from contracts.histogram import Histogram
from contracts.schema import Feature, FeatureSchema
from stream_app.drift.ks import fit_bridge
from training.baselines.score_bins import fit_score_bins
from training.data.columns import countable
from training.errors import DataError

# Nothing is out of this range: a score that has no reference must not alarm.
_NO_SCORES = Bins((0.0,), -sys.float_info.max, sys.float_info.max)


@dataclass(frozen=True)
class Origin:
    """Where a baseline comes from; see the fields of `contracts.baseline.Baseline`."""

    model: str
    version: str
    created: datetime
    data_digest: str
    code_revision: str


@dataclass(frozen=True)
class References:
    """What was counted of `rows` rows. score: counted of rows that the model was not fitted on, or empty."""

    schema: FeatureSchema
    rows: int
    features: dict[str, Reference]
    score: Reference

    def baseline(
        self,
        origin: Origin,
        threshold: float | None = None,
        positives: Positives | None = None,
        performance: dict[str, float] | None = None,
    ) -> Baseline:
        """The baseline of one model version. Raises InvalidBaseline."""
        return Baseline(
            model=origin.model,
            version=origin.version,
            schema=self.schema,
            features=self.features,
            score=self.score,
            created=origin.created,
            rows=self.rows,
            threshold=threshold,
            positives=positives,
            performance=performance or {},
            data_digest=origin.data_digest,
            code_revision=origin.code_revision,
        )


def count_references(
    features: pd.DataFrame, schema: FeatureSchema, scores: npt.NDArray[np.float64] | None, seed: int
) -> References:
    """Bins and counts of each monitored feature over all rows of `features`, and of `scores`, shape (any,).

    Scores must be of rows that the model was not fitted on: fitted ones are too sure, and every window of new rows
    would differ from them. None where there are no scores: the score is then not monitored. seed: of the simulated
    null tables. Raises DataError.
    """
    # Simulating the tables takes most of the time, and numpy lets go of the interpreter while it draws.
    with ThreadPoolExecutor(2) as pool:
        fitted = pool.map(lambda feature: _of_feature(features[feature.name], feature, seed), schema.monitored)
        references = dict(zip((feature.name for feature in schema.monitored), fitted, strict=True))
    score = Reference.empty(_NO_SCORES) if scores is None else _counted(fit_score_bins(scores), scores, seed)
    return References(schema, len(features), references, score)


def count_positives(scores: npt.NDArray[np.float64], threshold: float) -> Positives:
    """How many of `scores` are decided positively."""
    return Positives(int((scores >= threshold).sum()), scores.size)


def _of_feature(column: pd.Series, feature: Feature, seed: int) -> Reference:
    values = countable(column, feature)
    try:
        if isinstance(values, list):
            histogram = Histogram(Levels.fit(values))
            histogram.add(values)
            once = sum(count == 1 for level, count in Counter(values).items() if level is not None)
            return msgspec.structs.replace(Reference.of(histogram), singles=once)
        return _counted(Bins.fit(values), values, seed)
    except InvalidReference as error:
        raise DataError(f"feature {feature.name!r}: {error}") from error


def _counted(bins: Bins, values: npt.NDArray[np.float64], seed: int) -> Reference:
    histogram = Histogram(bins)
    histogram.add(values)
    return Reference.of(histogram, fit_bridge(histogram.counts, seed))
