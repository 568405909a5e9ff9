"""`python -m demo.later ROWS.parquet LABEL MODEL VERSION...`: AUC of versions on the same rows, as JSON.

A process of its own: what it needs of MLflow takes seconds to import. Settings: TRAINING_*, as everywhere.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from contracts.model_files import FRAME_DTYPES

WINDOW = "__window__"
"""Column of the rows: which window each belongs to; NaN: of none that is to be compared by itself."""


class Ranked(msgspec.Struct, frozen=True):
    """AUC over all rows, and in each window that has both truths."""

    auc: float
    windows: dict[int, float]


def ranked(truths: npt.NDArray[np.int64], scores: npt.NDArray[np.float64], windows: npt.NDArray[np.float64]) -> Ranked:
    """truths (0 or 1, both there), scores, windows (numbers, or NaN): shape (rows,) each."""
    from sklearn.metrics import roc_auc_score

    found = {}
    for window in np.unique(windows[np.isfinite(windows)]).tolist():
        rows = windows == window
        if np.unique(truths[rows]).size == 2:
            found[int(window)] = float(roc_auc_score(truths[rows], scores[rows]))
    return Ranked(float(roc_auc_score(truths, scores)), found)


def main(file: str, label: str, model: str, *versions: str) -> None:
    """Print it. Raises TrainingError for a version that the registry does not have."""
    from training.commands.shell import registered_of
    from training.fitting.pipeline import scores_of
    from training.settings import read_settings

    rows = pd.read_parquet(Path(file))
    truths, windows = rows[label].to_numpy(np.int64), rows[WINDOW].to_numpy(np.float64)
    registered = registered_of(read_settings(), model)
    found = {}
    for number in versions:
        version = registered.find(number)
        features = registered.baseline(version).schema.features
        frame = rows[[feature.name for feature in features]].astype({f.name: FRAME_DTYPES[f.kind] for f in features})
        found[number] = ranked(truths, scores_of(registered.registry.load(version), frame), windows)
    print(msgspec.json.encode(found).decode(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
