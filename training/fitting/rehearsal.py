"""Rehearsal: the pipeline is fitted to a few rows and written as a model file, before hours go into the real fit.

What a user's estimator cannot do shows in seconds: take the prepared columns, its parameters, or be stored.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import skops.io
from sklearn.base import clone

from contracts.model_files import SKOPS_TRUSTED_TYPES
from training.data.columns import Labels
from training.errors import ConfigError
from training.fitting.fit import fit_to, one_openmp_thread
from training.fitting.pipeline import scores_of

ROWS_OF_CLASS = 100


def rehearse(pipeline: Any, name: str, features: pd.DataFrame, labels: Labels) -> None:
    """pipeline: unfitted, and left so. name: the estimator's. Raises ConfigError."""
    rows = np.concatenate([np.flatnonzero(labels == value)[:ROWS_OF_CLASS] for value in (0, 1)])
    trial = clone(pipeline)
    try:
        with warnings.catch_warnings(), one_openmp_thread():
            warnings.simplefilter("ignore")  # what matters is said when it is fitted for real
            fit_to(trial, features.iloc[rows], labels[rows])
            scores = scores_of(trial, features.iloc[rows])
    except Exception as error:  # an estimator may raise anything
        raise ConfigError(f"estimator {name} cannot be fitted to these columns: {_short(error)}") from error
    if not (np.isfinite(scores).all() and scores.min() >= 0 and scores.max() <= 1):
        raise ConfigError(f"estimator {name} gives scores that are no probabilities: use another one")
    try:
        asked = skops.io.get_untrusted_types(data=skops.io.dumps(trial))
    except Exception as error:  # skops' own and pickle's
        raise ConfigError(f"estimator {name} cannot be written as a model file: {_short(error)}") from error
    if unknown := sorted(set(asked) - set(SKOPS_TRUSTED_TYPES)):
        raise ConfigError(
            f"estimator {name} needs {', '.join(unknown[:3])} in its model file, which the api does not trust: use "
            "another one, or add the types to SKOPS_TRUSTED_TYPES in contracts/model_files.py of both ends"
        )


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
