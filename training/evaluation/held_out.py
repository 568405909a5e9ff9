"""Held out: the test rows of a version, kept with it. Nothing was chosen by them; others can be judged by them too."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from contracts.model_files import FRAME_DTYPES
from contracts.schema import FeatureSchema
from training.errors import DataError
from training.evaluation.measures import Labels, Scores
from training.evaluation.record import LABEL_COLUMN, SCORE_COLUMN, TIME_COLUMN


@dataclass(frozen=True, eq=False)
class HeldOut:
    """features: a feature frame (contracts.model_files). labels, scores: shape (rows,); the scores are those that the
    version itself gave. times: milliseconds since the epoch, None where the data has none. segments: raw columns by
    which rows can be told apart, beyond the features; missing as None.
    """

    features: pd.DataFrame
    labels: Labels
    scores: Scores
    times: npt.NDArray[np.int64] | None
    segments: pd.DataFrame

    def to_parquet(self) -> bytes:
        """The file's bytes; the same rows give the same bytes."""
        table = pd.concat([self.features, self.segments.set_axis(self.features.index)], axis=1)
        table[LABEL_COLUMN] = self.labels
        table[SCORE_COLUMN] = self.scores
        if self.times is not None:
            table[TIME_COLUMN] = self.times
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False, compression="zstd")
        return buffer.getvalue()

    @staticmethod
    def from_parquet(data: bytes, schema: FeatureSchema) -> HeldOut:
        """Read the file of a version whose baseline has `schema`. Raises DataError."""
        try:
            table = pd.read_parquet(io.BytesIO(data))
        except (ValueError, OSError) as error:  # Arrow's errors are among these
            raise DataError(f"the test rows cannot be read: {' '.join(str(error).split())[:200]}") from error
        needed = [*schema.names, LABEL_COLUMN, SCORE_COLUMN]
        absent = [name for name in needed if name not in table.columns]
        if absent:
            raise DataError(f"the test rows have no column {absent[0]!r}: train the version again")
        features = table[list(schema.names)].astype({f.name: FRAME_DTYPES[f.kind] for f in schema.features})
        return HeldOut(
            features,
            table[LABEL_COLUMN].to_numpy(dtype=np.int64),
            table[SCORE_COLUMN].to_numpy(dtype=np.float64),
            table[TIME_COLUMN].to_numpy(dtype=np.int64) if TIME_COLUMN in table.columns else None,
            table[[name for name in table.columns if name not in {*needed, TIME_COLUMN}]],
        )


def scores_digest(scores: Scores) -> str:
    """SHA-256 of little-endian float64, 64 hex digits."""
    return hashlib.sha256(scores.astype("<f8").tobytes()).hexdigest()
