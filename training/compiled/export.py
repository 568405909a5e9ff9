"""Export: the compiled form of a fitted model, written only where it gives the model's own scores.

It is compared on thousands of rows, every second one poisoned; a few hundred of them go into the file with the model's
own scores, for the api to check again. A model without a compiled form is served by itself: all it loses is speed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed
from typing import Any

import numpy as np
import pandas as pd
from msgspec.structs import replace
from sklearn.pipeline import Pipeline

from contracts.compiled import EXPORT_TOLERANCE, Compiled, Linear, Sample
from contracts.compiled_scorer import CompiledScorer, largest_difference
from contracts.encoder import Row
from contracts.errors import ContractError
from contracts.model_files import FRAME_DTYPES
from contracts.schema import FeatureSchema
from training.compiled.encoder_blocks import encoder_blocks
from training.compiled.model_function import model_function
from training.compiled.poison import huge_rows, poisoned_rows
from training.errors import NotCompilable
from training.fitting.calibrate import uncalibrated
from training.fitting.pipeline import scores_of

COMPARED_ROWS, SAMPLE_ROWS = 4_000, 252


@dataclass(frozen=True)
class Export:
    """compiled: None where there is none. said: what came of it, in a few words. difference: the largest one between
    its scores and the model's own.
    """

    compiled: Compiled | None
    said: str
    difference: float | None = None


def export(
    estimator: Any, schema: FeatureSchema, reference: pd.DataFrame, *, model: str, version: str, seed: int
) -> Export:
    """reference: a feature frame to draw rows from. model, version: whose it is."""
    rng = np.random.default_rng(seed)
    rows, huge = poisoned_rows(reference, schema, COMPARED_ROWS, rng), huge_rows(reference, schema, rng)
    try:
        inner, calibration = uncalibrated(estimator)
        steps = [step for _, step in inner.steps] if isinstance(inner, Pipeline) else [inner]
        function, blocks = model_function(steps[-1]), encoder_blocks(steps[:-1], schema)
        if isinstance(function.function, Linear):
            function = function._replace(function=_with_means(function.function, inner, reference))
        own, answers = _scores(estimator, schema, rows), _each_score(estimator, schema, huge)
        if own is None:  # it refuses some: ask about each of fewer
            rows = rows[:SAMPLE_ROWS]
            own = _each_score(estimator, schema, rows)
        sample = Sample((*rows[:SAMPLE_ROWS], *huge), (*own[:SAMPLE_ROWS], *answers))
        compiled = Compiled(
            model=model,
            version=version,
            features=schema.names,
            blocks=blocks,
            function=function.function,
            link=function.link,
            refuses=function.refuses,
            sample=sample,
            made_with=f"scikit-learn {installed('scikit-learn')}",
            calibration=calibration,
        )
        scorer = CompiledScorer(compiled)
        worst = max(
            largest_difference(scorer.score, rows, own),
            largest_difference(scorer.score, sample.rows, sample.scores),
        )
    except (NotCompilable, ContractError) as error:
        return Export(None, f"no compiled form: {error}")
    if not worst <= EXPORT_TOLERANCE:
        return Export(None, f"no compiled form: its scores differ from the model's own by up to {worst:.1e}")
    said = f"{scorer.kind}, within {worst:.0e} of the model's own scores on {len(rows):,} rows"
    return Export(compiled, said, worst)


def frame_of(rows: Sequence[Row], schema: FeatureSchema) -> pd.DataFrame:
    """Rows as the frame that a model is fed."""
    columns = zip(*rows, strict=True)
    return pd.DataFrame(
        {
            feature.name: pd.Series(column, dtype=FRAME_DTYPES[feature.kind])
            for feature, column in zip(schema.features, columns, strict=True)
        }
    )


def _with_means(function: Linear, estimator: Any, reference: pd.DataFrame) -> Linear:
    """With the encoded reference's means; as it was where one of them is no number, because the reference has rows that
    the model refuses.
    """
    prepared = isinstance(estimator, Pipeline) and len(estimator.steps) > 1
    encoded = estimator[:-1].transform(reference) if prepared else reference.to_numpy(np.float64)
    means = np.ravel(encoded.mean(axis=0))  # of a sparse matrix too
    return replace(function, means=tuple(means.tolist())) if np.isfinite(means).all() else function


def _scores(estimator: Any, schema: FeatureSchema, rows: Sequence[Row]) -> list[float | None] | None:
    """The model's scores; None where it refuses the rows."""
    try:
        with np.errstate(over="ignore"):  # a huge number that a forest rounds, which it then refuses
            return list(scores_of(estimator, frame_of(rows, schema)).tolist())
    except Exception:  # a user's model may raise anything; that it does is what is asked
        return None


def _each_score(estimator: Any, schema: FeatureSchema, rows: Sequence[Row]) -> list[float | None]:
    return [scores[0] if (scores := _scores(estimator, schema, [row])) else None for row in rows]
