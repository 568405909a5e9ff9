"""Desk: answers questions about one version at a time, from the version's files. What the explaining process runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec

from api.errors import ModelRefused, ScoringFailed
from api.explaining.answer import explanation
from api.explaining.attribution import Explainer, choose
from api.explaining.messages import Question, Reply, Version
from api.explaining.paths import Floats
from api.explaining.permutation import Score
from contracts.baseline import Baseline
from contracts.compiled import Compiled
from contracts.encoder import Row
from contracts.errors import ContractError, Unscorable
from contracts.model_files import BASELINE_FILE, COMPILED_FILE


class Desk:
    """Loads a version when the first question about it comes, and keeps it until there is one about another."""

    def __init__(self) -> None:
        self._version: Version | None = None
        self._baseline: Baseline
        self._explainer: Explainer

    def answer(self, question: Question) -> Reply:
        """Raises nothing that a version's files or a row can cause."""
        try:
            if question.version != self._version:
                self._load(question.version)
        except (OSError, ContractError, ModelRefused) as error:
            return Reply("gone", str(error).encode())
        if question.row is None:
            return Reply("loaded")
        try:
            found = self._explainer.explain(question.row)
        except (Unscorable, ScoringFailed, TypeError, ValueError) as error:
            return Reply("failed", str(error).encode())
        if not (math.isfinite(found.score) and math.isfinite(found.base + found.contributions.sum())):
            return Reply("failed", b"the score, or what it consists of, is not a finite number")
        said = explanation(self._baseline, self._explainer, question.row, found, question.top)
        return Reply("answer", msgspec.json.encode(said))

    def _load(self, version: Version) -> None:
        folder = Path(version.folder)
        baseline = Baseline.from_bytes((folder / BASELINE_FILE).read_bytes())
        compiled = Compiled.from_bytes((folder / COMPILED_FILE).read_bytes()) if version.compiled else None
        self._explainer = choose(baseline, compiled, lambda: _own(folder, baseline))
        self._baseline, self._version = baseline, version


def _own(folder: Path, baseline: Baseline) -> Score:
    """The model itself. Imported late: a version with a compiled form needs neither pandas nor scikit-learn."""
    from api.models.scorer import FrameScorer
    from api.models.version import read_estimator

    scorer = FrameScorer(read_estimator(folder, baseline.key), baseline.schema)
    make = baseline.schema.features_type(strict=False)
    names = [f"f{i}" for i in range(len(baseline.schema.features))]

    def score(rows: Sequence[Row]) -> Floats:
        return scorer.score([make(**dict(zip(names, row, strict=True))) for row in rows])

    return score
