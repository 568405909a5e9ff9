"""Served: one model version made ready to answer, with everything that belongs to it and to no other.

Requests, scores and events of a version all go through one of these, so a swap is one assignment.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np

from api.errors import ModelRefused, ScoringFailed
from api.models.compiled import Ask, choose_scorer
from api.models.proof import Proof
from api.models.scorer import Scorer
from api.models.version import ModelVersion
from api.requests.schemas import RequestReader, example_features
from contracts.baseline import Baseline

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Served:
    """One version, ready to answer. cached: it came from the local copy because the registry was away.

    scorer_note: how the scorer was chosen, for people. folder: of its files, while it is the local copy.
    proof: that its compiled form is right; to be kept beside the local copy.
    """

    baseline: Baseline
    scorer: Scorer
    reader: RequestReader
    since: datetime
    cached: bool = False
    scorer_note: str = ""
    folder: Path | None = None
    proof: Proof | None = None

    @property
    def key(self) -> str:
        """`model/version`."""
        return self.baseline.key


def prepare(model: ModelVersion, now: datetime, future: timedelta, ask: Ask = lambda _: None) -> Served:
    """Make a loaded version ready: it scores its own example row once, which also warms it up. Blocks; for a thread.

    ask: see api.models.compiled. Without one the model is loaded in this process.

    Raises ModelRefused when the estimator cannot score what its schema describes.
    """
    reader = RequestReader(model.baseline.schema, future)
    chosen = choose_scorer(model, ask, now)
    scorer = chosen.scorer
    row = msgspec.convert(example_features(model.baseline), reader.features_type)
    try:
        (score,) = scorer.score([row])
    except ScoringFailed as error:
        raise ModelRefused(f"{model.baseline.key} cannot score a row of its own schema: {error}") from error
    if not math.isfinite(score):
        raise ModelRefused(f"{model.baseline.key} scores a row of its own schema as {score}")
    return Served(model.baseline, scorer, reader, now, model.cached, chosen.note, model.folder, chosen.proof)


def score_each(scorer: Scorer, rows: Sequence[msgspec.Struct]) -> list[float | ScoringFailed]:
    """One score or error a row. A row that the model chokes on is found by halving: it must not cost its neighbours."""
    try:
        found = scorer.score(rows)
    except ScoringFailed as error:
        if len(rows) == 1:
            # the type alone: the text often quotes the row, and rows are private
            log.error("models: a row could not be scored: %s", type(error.__cause__ or error).__name__)
            return [error]
        half = len(rows) // 2
        return [*score_each(scorer, rows[:half]), *score_each(scorer, rows[half:])]
    scores: list[float | ScoringFailed] = found.tolist()
    for place in np.flatnonzero(~np.isfinite(found)):
        scores[place] = ScoringFailed("The model's score is not a finite number.")
    return scores
