"""Compiled: scores a version by its compiled form, where that was found right; otherwise the model itself scores.

Found right: on the stored sample, poisoned rows among them, its scores are those that training stored and those that
the model itself gives here, within LOAD_TOLERANCE. The first is computed at every load. For the second the model is
asked in a process of its own (api.models.proving); a start that finds the same files and libraries as last time takes
the answer it got then (api.models.proof) until it is asked again. A model is never refused for its compiled form.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import numpy as np

from api.errors import ModelRefused, ScoringFailed
from api.models.proof import Found, Proof, fingerprint, models_can_be_asked
from api.models.scorer import FrameScorer, Scorer, Scores
from api.models.version import ModelVersion, read_estimator
from contracts.compiled import LOAD_TOLERANCE, Compiled
from contracts.compiled_scorer import CompiledScorer, largest_difference
from contracts.encoder import Row
from contracts.errors import ContractError, Unscorable
from contracts.model_files import COMPILED_FILE

log = logging.getLogger(__name__)

Ask = Callable[[ModelVersion], Found | None]
"""Has the model asked elsewhere. None: nobody could."""


class CompiledRows:
    """A compiled form as a Scorer. rows: structs of the schema's features_type."""

    def __init__(self, scorer: CompiledScorer) -> None:
        self.kind = scorer.kind
        self._score = scorer.score

    def score(self, rows: Sequence[msgspec.Struct]) -> Scores:
        """Raises ScoringFailed where the model would refuse a row."""
        try:
            return self._score(list(map(msgspec.structs.astuple, rows)))
        except (Unscorable, TypeError, ValueError) as error:
            raise ScoringFailed(f"The model failed: {type(error).__name__}: {error}") from error


class Chosen(msgspec.Struct, frozen=True):
    """The scorer to answer with, and why that one, for people. proof: of its compiled form; None: see note."""

    scorer: Scorer
    note: str
    proof: Proof | None = None


class NotRight(Exception):
    """The compiled form is not that of this model; the text says how that shows."""


def is_compiled(scorer: Scorer) -> bool:
    """Whether it is the fast one."""
    return isinstance(scorer, CompiledRows)


def choose_scorer(model: ModelVersion, ask: Ask, now: datetime) -> Chosen:
    """Blocks. Raises ModelRefused for a model that cannot be loaded when it must be."""
    if model.compiled is None:
        return Chosen(_own(model), f"the version has no {COMPILED_FILE}")
    try:
        scorer, compiled, stored = _opened(model)
        if model.proof is not None:
            live, rows = model.proof.difference, model.proof.rows
            _check(stored, live)
            note = f", found {model.proof.at:%Y-%m-%d %H:%M} UTC with the same files and libraries; not asked again yet"
            return Chosen(CompiledRows(scorer), _within(stored, live, rows) + note, model.proof)
        if not models_can_be_asked():
            note = "the model itself was not asked: scikit-learn is not installed here"
            rows = len(compiled.sample.rows)
            _check(stored, 0.0)
            return Chosen(
                CompiledRows(scorer), f"within {stored:.0e} of the scores that training stored, on {rows} rows; {note}"
            )
        found = None if model.estimator is not None else ask(model)
        if found is None:  # loaded already, or there was nobody to ask
            proof = prove_here(model, now)
        elif found.refused:
            raise ModelRefused(found.refused)
        elif found.wrong:
            raise NotRight(found.wrong)
        else:
            proof = Proof(_fingerprint(model), found.difference, found.rows, now)
        _check(stored, proof.difference)
        return Chosen(CompiledRows(scorer), _within(stored, proof.difference, proof.rows), proof)
    except (NotRight, ContractError) as error:
        own = _own(model)
        log.error("models: %s is scored by %s: %s", model.baseline.key, own.kind, error)
        return Chosen(own, f"{COMPILED_FILE} is not used: {error}")


def prove_here(model: ModelVersion, now: datetime) -> Proof:
    """Ask the model in this process. Raises NotRight, ContractError or ModelRefused."""
    scorer, compiled, stored = _opened(model)
    sample = compiled.sample
    features_type = model.baseline.schema.features_type(strict=True)
    try:
        own_scores = _own_scores(_own(model), sample.rows, sample.scores, features_type)
        live = largest_difference(scorer.score, sample.rows, own_scores)
    except (ScoringFailed, TypeError, ValueError) as error:  # a row that fits no schema
        raise NotRight(f"its sample cannot be scored: {error}") from error
    _check(stored, live)
    return Proof(_fingerprint(model), live, len(sample.rows), now)


def _opened(model: ModelVersion) -> tuple[CompiledScorer, Compiled, float]:
    """The form, and how far its scores are from those that training stored. Raises NotRight or ContractError."""
    baseline = model.baseline
    compiled = Compiled.from_bytes(model.compiled or b"")
    if compiled.key != baseline.key:
        raise NotRight(f"it is that of {compiled.key}")
    if compiled.features != baseline.schema.names:
        raise NotRight("its features are not those of the baseline's schema")
    scorer, sample = CompiledScorer(compiled), compiled.sample
    try:
        stored = largest_difference(scorer.score, sample.rows, sample.scores)
    except (TypeError, ValueError) as error:  # a row that fits no schema
        raise NotRight(f"its sample cannot be scored: {error}") from error
    return scorer, compiled, stored


def _own(model: ModelVersion) -> FrameScorer:
    """The model itself."""
    if not models_can_be_asked():
        raise ModelRefused(
            f"{model.baseline.key} has no {COMPILED_FILE} that can be used, and scikit-learn is not installed here: "
            "use the full image, or export the version again with `python -m training`"
        )
    estimator = model.estimator
    if estimator is None and model.folder is not None:
        estimator = read_estimator(model.folder, model.baseline.key)
    return FrameScorer(estimator, model.baseline.schema)


def _own_scores(
    own: FrameScorer, rows: Sequence[Row], stored: Sequence[float | None], features_type: type[msgspec.Struct]
) -> list[float | None]:
    """The model's scores of the sample; None where it refused the row when it was trained."""
    asked = [i for i, score in enumerate(stored) if score is not None]
    scores: Any = own.score([_struct(features_type, rows[i]) for i in asked])
    found: list[float | None] = [None] * len(rows)
    for i, score in zip(asked, np.asarray(scores).tolist(), strict=True):
        found[i] = score
    return found


def _check(stored: float, live: float) -> None:
    """Raises NotRight."""
    if not max(stored, live) <= LOAD_TOLERANCE:
        raise NotRight(
            f"on its sample it differs by up to {stored:.1e} from the stored scores and by {live:.1e} from the model's"
        )


def _within(stored: float, live: float, rows: int) -> str:
    return f"within {max(stored, live):.0e} of the model's own scores on {rows} rows"


def _fingerprint(model: ModelVersion) -> str:
    return "" if model.folder is None else fingerprint(model.folder)


def _struct(features_type: type[msgspec.Struct], row: Row) -> msgspec.Struct:
    return features_type(**{f"f{i}": value for i, value in enumerate(row)})
