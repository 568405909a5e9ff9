"""Importance: how much AUC is lost on test rows when one feature's values are exchanged among them (Breiman 2001,
Random Forests, section 10). A feature whose fellow says the same loses little: it is not needed, though it is used.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.inspection import permutation_importance

from training.data.columns import Labels
from training.fitting.fit import one_openmp_thread

_REPEATS = 3


def importance(model: Any, features: pd.DataFrame, labels: Labels, rows: int, seed: int) -> dict[str, float]:
    """Feature -> mean loss of AUC, the largest first. rows: so many are asked at most."""
    asked = balanced(labels, rows, seed)
    with one_openmp_thread():
        found = permutation_importance(
            model, features.iloc[asked], labels[asked], scoring="roc_auc", n_repeats=_REPEATS, random_state=seed
        )
    lost = {str(name): float(value) for name, value in zip(features.columns, found.importances_mean, strict=True)}
    return dict(sorted(lost.items(), key=lambda one: -one[1]))


def balanced(labels: Labels, rows: int, seed: int) -> Any:
    """Positions of rows, as many of each class where it has so many: AUC does not mind, and a rare one is not lost."""
    draw = np.random.default_rng(seed)
    of_class = [draw.permutation(np.flatnonzero(labels == value))[: rows // 2] for value in (0, 1)]
    return np.sort(np.concatenate(of_class))
