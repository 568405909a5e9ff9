"""The reference of the twenty features: a baseline made by training's own code from rows drawn at random."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd

from bench.detection.features import FEATURES, SCHEMA, SCORE, THRESHOLD, Column, Numbers
from contracts.baseline import Baseline
from training.baseline import Origin, count_positives, count_references
from training.columns import feature_frame

REFERENCE_ROWS = 100_000
_CREATED = datetime(2026, 1, 1, tzinfo=UTC)


class Drawn:
    """One reference: its raw columns (`columns`, `scores`) for tools that want rows, and its `baseline`."""

    def __init__(self, seed: int, number: int = 0, rows: int = REFERENCE_ROWS) -> None:
        rng = np.random.default_rng([seed, number])
        self.columns: tuple[Column, ...] = tuple(feature.column(rng, rows) for feature in FEATURES)
        self.scores: Numbers = SCORE.column(rng, rows)
        self.frame = feature_frame(frame_of(self.columns), SCHEMA)
        counted = count_references(self.frame, SCHEMA, self.scores, seed)
        origin = Origin("mixed", f"{seed}.{number}", _CREATED, "", "")
        self.baseline: Baseline = counted.baseline(origin, THRESHOLD, count_positives(self.scores, THRESHOLD))


def frame_of(columns: tuple[Column, ...]) -> pd.DataFrame:
    """Columns as a table."""
    return pd.DataFrame({feature.name: column for feature, column in zip(FEATURES, columns, strict=True)})
