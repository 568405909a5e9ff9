"""The reference of the twenty features: a baseline made by training's own code from rows drawn at random."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd

from bench.detection.features import FEATURES, SCHEMA, SCORE, THRESHOLD, Column, Numbers
from contracts.baseline import Baseline
from training.baselines.histograms import Origin, count_positives, count_references
from training.data.columns import feature_frame

REFERENCE_ROWS = 100_000
SAMPLE_ROWS = 20_000
"""Of the reference, that sizes and levels of drifts are taken from."""
_CREATED = datetime(2026, 1, 1, tzinfo=UTC)


class Drawn:
    """One reference: raw columns for tools that want rows (`columns`, `by_name`, `scores`), and its `baseline`."""

    def __init__(self, seed: int, number: int = 0, rows: int = REFERENCE_ROWS) -> None:
        rng = np.random.default_rng([seed, number])
        self.columns: tuple[Column, ...] = tuple(feature.column(rng, rows) for feature in FEATURES)
        self.by_name: dict[str, Column] = {f.name: column for f, column in zip(FEATURES, self.columns, strict=True)}
        self.scores: Numbers = SCORE.column(rng, rows)
        counted = count_references(feature_frame(frame_of(self.columns), SCHEMA), SCHEMA, self.scores, seed)
        origin = Origin("mixed", f"{seed}.{number}", _CREATED, "", "")
        self.baseline: Baseline = counted.baseline(origin, THRESHOLD, count_positives(self.scores, THRESHOLD))


def frame_of(columns: tuple[Column, ...]) -> pd.DataFrame:
    """Columns as a table."""
    return pd.DataFrame({feature.name: column for feature, column in zip(FEATURES, columns, strict=True)})
