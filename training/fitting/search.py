"""Search: hyperparameters by successive halving: many candidates on few rows, the best third of them on three times as
many, the last few on all training rows (scikit-learn's HalvingRandomSearchCV).

Its last round is compared once more: with the parameters that the configuration gives, on the same folds. Where those
are as good they stay.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from joblib import parallel_config  # type: ignore[import-untyped]
from scipy.stats import loguniform, randint, uniform
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV, StratifiedKFold, cross_val_score
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from training.configuration.config import Scalar, Search, Span
from training.data.columns import Labels
from training.errors import ConfigError
from training.evaluation.record import Searched
from training.fitting.pipeline import CLASSIFY

FACTOR = 3
_ROWS_PER_FOLD = 10
"""Of the rarer class that each fold of the smallest round should hold, on average."""


class Found(NamedTuple):
    """params: of the classifier, to be set; empty where the configuration's own are as good. table: every candidate of
    every round.
    """

    params: dict[str, Scalar]
    searched: Searched
    table: pd.DataFrame


class _WholeLog:
    """Whole numbers, small ones as often as large ones."""

    def __init__(self, low: int, high: int) -> None:
        self._inner = loguniform(low, high + 1)

    def rvs(self, random_state: Any = None) -> int:
        return int(self._inner.rvs(random_state=random_state))


class _Told(HalvingRandomSearchCV):  # type: ignore[misc]
    """Says what each round is about to compare, and keeps how many."""

    def followed_by(self, says: Callable[[str], None], rounds: int) -> _Told:
        self._says, self._rounds = says, rounds
        self.compared: list[int] = []
        return self

    def __getstate__(self) -> Any:
        """For the other processes, which have nobody to tell."""
        return {name: value for name, value in super().__getstate__().items() if name != "_says"}

    def _run_search(self, evaluate_candidates: Any, *, callback_ctx: Any = None) -> None:
        # scikit-learn 1.9 gives the context to a method that names it, and needs it back
        context = {} if callback_ctx is None else {"callback_ctx": callback_ctx}

        def told(candidates: Any, *arguments: Any, **named: Any) -> Any:
            self.compared.append(len(candidates))
            rows = int(named["more_results"]["n_resources"][0])
            self._says(f"round {len(self.compared)} of {self._rounds}: {len(candidates)} candidates on {rows:,} rows")
            return evaluate_candidates(candidates, *arguments, **named)

        super()._run_search(told, **context)


def search(
    pipeline: Any,
    asked: Search,
    features: pd.DataFrame,
    labels: Labels,
    seed: int,
    jobs: int,
    says: Callable[[str], None],
) -> Found:
    """The best parameters for an unfitted pipeline on these rows. Raises ConfigError where a candidate fails.

    The same seed gives the same result, with any number of jobs.
    """
    started = time.perf_counter()
    rounds, smallest = plan(asked, labels)
    folds = StratifiedKFold(asked.folds, shuffle=True, random_state=seed)
    halving = _Told(
        pipeline,
        {f"{CLASSIFY}__{name}": _drawn(values) for name, values in asked.space.items()},
        n_candidates=asked.candidates,
        factor=FACTOR,
        min_resources=smallest,
        max_resources=len(labels),
        scoring=asked.scoring,
        cv=folds,
        refit=False,
        error_score="raise",
        random_state=seed,
        return_train_score=False,
    ).followed_by(says, rounds)
    try:
        with one_thread_each(jobs), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The total space of parameters", UserWarning)  # all of it is tried
            warnings.simplefilter("ignore", ConvergenceWarning)  # of a candidate: its score says it
            halving.fit(features, labels)
            says(f"the configuration's own parameters on {len(labels):,} rows")
            default = float(cross_val_score(pipeline, features, labels, scoring=asked.scoring, cv=folds).mean())
    except Exception as error:  # an estimator may raise anything about its parameters
        raise ConfigError(f"search: a candidate cannot be fitted: {_short(error)}") from error
    table = pd.DataFrame(halving.cv_results_)
    last = table[table["iter"] == table["iter"].max()]
    best = last.sort_values("mean_test_score", ascending=False, kind="stable").iloc[0]
    score = float(best["mean_test_score"])
    if not np.isfinite(score):
        raise ConfigError(f"search.scoring {asked.scoring}: no candidate has a score: choose another scorer")
    params = {name.removeprefix(f"{CLASSIFY}__"): _plain(value) for name, value in best["params"].items()}
    searched = Searched(
        scoring=asked.scoring,
        candidates=halving.compared[0],
        rounds=tuple(halving.compared),
        score=score,
        default=default,
        params=params,
        seconds=time.perf_counter() - started,
    )
    return Found(params if score > default else {}, searched, table)


def plan(asked: Search, labels: Labels) -> tuple[int, int]:
    """Number of rounds, and rows of the first. The last one compares at least 3 candidates on all rows."""
    rarer = min(labels.mean(), 1 - labels.mean())
    floor = min(len(labels), int(np.ceil(asked.folds * _ROWS_PER_FOLD / rarer)))
    rounds, left = 1, asked.candidates
    while left // FACTOR >= FACTOR and len(labels) // FACTOR**rounds >= floor:
        rounds, left = rounds + 1, left // FACTOR
    return rounds, len(labels) // FACTOR ** (rounds - 1)


def one_thread_each(jobs: int) -> Any:
    """For fits in `jobs` processes, with one OpenMP thread each: more would wait for one another spinning."""
    if jobs == 1:
        return threadpool_limits(limits=1, user_api="openmp")
    return parallel_config(backend="loky", n_jobs=jobs, inner_max_num_threads=1)


def _drawn(values: Span | tuple[Scalar, ...]) -> Any:
    if not isinstance(values, Span):
        return list(values)
    low, high = values.low, values.high
    if isinstance(low, int) and isinstance(high, int):
        return _WholeLog(low, high) if values.log else randint(low, high + 1)
    return loguniform(low, high) if values.log else uniform(low, high - low)


def _plain(value: Any) -> Scalar:
    plain: Scalar = value.item() if isinstance(value, np.generic) else value
    return plain


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
