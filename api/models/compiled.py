"""Compiled: scores a version by its compiled form, where that was found right at load; otherwise the model scores.

Found right: on the stored sample, poisoned rows among them, its scores are those that training stored and those that
the loaded model itself gives here, within LOAD_TOLERANCE. A model is never refused for its compiled form.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from api.errors import ScoringFailed
from api.models.scorer import FrameScorer, Scorer, Scores
from api.models.store import ModelVersion
from contracts.compiled import LOAD_TOLERANCE, Compiled
from contracts.compiled_scorer import CompiledScorer, largest_difference
from contracts.encoder import Row
from contracts.errors import ContractError, Unscorable
from contracts.model_files import COMPILED_FILE

log = logging.getLogger(__name__)


class CompiledRows:
    """A compiled form as a Scorer. rows: structs of the schema's features_type."""

    def __init__(self, scorer: CompiledScorer) -> None:
        self.kind = scorer.kind
        self._score = scorer.score

    def score(self, rows: Sequence[msgspec.Struct]) -> Scores:
        """Raises ScoringFailed where the model would refuse a row."""
        try:
            return self._score([msgspec.structs.astuple(row) for row in rows])
        except (Unscorable, TypeError, ValueError) as error:
            raise ScoringFailed(f"The model failed: {type(error).__name__}: {error}") from error


def is_compiled(scorer: Scorer) -> bool:
    """Whether it is the fast one."""
    return isinstance(scorer, CompiledRows)


def choose_scorer(model: ModelVersion, own: FrameScorer, features_type: type[msgspec.Struct]) -> tuple[Scorer, str]:
    """The scorer to answer with, and why that one. own: the model itself. features_type: of the schema. Blocks."""
    if model.compiled is None:
        return own, f"the version has no {COMPILED_FILE}"
    try:
        compiled = Compiled.from_bytes(model.compiled)
        return _checked(compiled, model, own, features_type)
    except (_NotRight, ContractError) as error:
        log.error("models: %s is scored by %s: %s", model.baseline.key, own.kind, error)
        return own, f"{COMPILED_FILE} is not used: {error}"


class _NotRight(Exception):
    """The compiled form is not that of this model; the text says how that shows."""


def _checked(
    compiled: Compiled, model: ModelVersion, own: FrameScorer, features_type: type[msgspec.Struct]
) -> tuple[Scorer, str]:
    baseline = model.baseline
    if compiled.key != baseline.key:
        raise _NotRight(f"it is that of {compiled.key}")
    if compiled.features != baseline.schema.names:
        raise _NotRight("its features are not those of the baseline's schema")
    scorer, sample = CompiledScorer(compiled), compiled.sample
    try:
        stored = largest_difference(scorer.score, sample.rows, sample.scores)
        own_scores = _own_scores(own, sample.rows, sample.scores, features_type)
        live = largest_difference(scorer.score, sample.rows, own_scores)
    except (ScoringFailed, TypeError, ValueError) as error:  # a row that fits no schema
        raise _NotRight(f"its sample cannot be scored: {error}") from error
    if not max(stored, live) <= LOAD_TOLERANCE:
        raise _NotRight(
            f"on its sample it differs by up to {stored:.1e} from the stored scores and by {live:.1e} from the model's"
        )
    return CompiledRows(scorer), f"within {max(stored, live):.0e} of the model's own scores on {len(sample.rows)} rows"


def _own_scores(
    own: FrameScorer, rows: Sequence[Row], stored: Sequence[float | None], features_type: type[msgspec.Struct]
) -> list[float | None]:
    """The loaded model's scores of the sample; None where it refused the row when it was trained."""
    asked = [i for i, score in enumerate(stored) if score is not None]
    scores: Any = own.score([_struct(features_type, rows[i]) for i in asked])
    found: list[float | None] = [None] * len(rows)
    for i, score in zip(asked, np.asarray(scores).tolist(), strict=True):
        found[i] = score
    return found


def _struct(features_type: type[msgspec.Struct], row: Row) -> msgspec.Struct:
    return features_type(**{f"f{i}": value for i, value in enumerate(row)})
