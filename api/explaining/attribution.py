"""Attribution: what each feature of one row adds to the score, and the three ways to find it.

choose() takes the exact way where the version's compiled form has what it needs, and sampling otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np

from api.explaining.background import background, known_features
from api.explaining.columns import owners
from api.explaining.linear_shap import LinearShap
from api.explaining.paths import Floats, TooLarge
from api.explaining.permutation import Score, pairs_for, sampled
from api.explaining.tree_shap import TreeShap
from contracts.baseline import Baseline
from contracts.compiled import Compiled, Forest, Isotonic, Sigmoid
from contracts.compiled_scorer import CompiledScorer
from contracts.encoder import Encoder, Row

Link = Literal["logit", "identity"]
Method = Literal["tree_shap", "linear_shap", "permutation"]

_SEED = 20_240_601
"""The same row gets the same explanation each time it is asked about."""

_TREES = (
    "The rows that the trees were fitted to: where a feature is left out, its splits are followed both ways, each by "
    "the share of those rows that went there (path-dependent expectation)."
)
_LINEAR = "The mean of each encoded column over the reference; columns are taken as independent of one another."
_SAMPLED = (
    "{rows} rows drawn from the baseline's histograms, each feature by itself; sampled, so base_value and every "
    "contribution have a standard error."
)


class Attribution(NamedTuple):
    """base and contributions (one a feature, schema order) add up to link(score). errors: standard errors of the
    contributions, base_error that of the base: where they are sampled.
    """

    score: float
    base: float
    contributions: Floats
    errors: Floats | None = None
    base_error: float | None = None


class Explainer(Protocol):
    """compared_with: a sentence on what contributions are differences from."""

    @property
    def method(self) -> Method: ...
    @property
    def link(self) -> Link: ...
    @property
    def compared_with(self) -> str: ...

    def explain(self, row: Row) -> Attribution:
        """row: values in schema order, None where missing. Raises what the score does."""


class Exact:
    """By a compiled form: its trees or its coefficients."""

    def __init__(self, compiled: Compiled, scorer: CompiledScorer) -> None:
        """Raises InvalidCompiled, or TooLarge. Only where is_exact()."""
        function = compiled.function
        self._encoder = Encoder(compiled.blocks, len(compiled.features))
        self._owners, self._features = owners(compiled.blocks), len(compiled.features)
        self._scorer = scorer
        calibration = compiled.calibration
        logit = compiled.link == "logistic" if calibration is None else isinstance(calibration, Sigmoid)
        self.link: Link = "logit" if logit else "identity"
        # A calibrated score's log-odds are a line of the function's value: contributions stretch, the base moves too.
        self._slope, self._shift = (
            (calibration.slope, calibration.intercept) if isinstance(calibration, Sigmoid) else (1.0, 0.0)
        )
        self.method: Method
        self._shap: TreeShap | LinearShap
        if isinstance(function, Forest):
            self.method, self.compared_with = "tree_shap", _TREES
            self._shap = TreeShap(function.trees.arrays(self._encoder.width), self._encoder.width)
            self._base, self._divisor, self._narrow = function.base, function.divisor, function.narrow
        else:
            self.method, self.compared_with = "linear_shap", _LINEAR
            self._shap = LinearShap(function)
            self._base, self._divisor, self._narrow = 0.0, 1.0, False

    def explain(self, row: Row) -> Attribution:
        """Raises Unscorable."""
        (score,) = self._scorer.score([row]).tolist()
        encoded = self._encoder.encode([row])[0]
        if self._narrow:
            encoded = encoded.astype(np.float32).astype(np.float64)
        columns = self._shap.contributions(encoded) / self._divisor * self._slope
        features = np.zeros(self._features)
        np.add.at(features, self._owners, columns)
        base = (self._shap.base + self._base) / self._divisor * self._slope + self._shift
        return Attribution(score, base, features)


class Permutation:
    """By sampling, in the score's own unit. score: of rows in schema order."""

    method: Method = "permutation"
    link: Link = "identity"

    def __init__(self, baseline: Baseline, score: Score, because: str = "") -> None:
        self._score = score
        self._movable = known_features(baseline)
        rows = pairs_for(len(baseline.schema.features))
        self._background = background(baseline, rows, np.random.default_rng(_SEED))
        self.compared_with = _SAMPLED.format(rows=rows) + because

    def explain(self, row: Row) -> Attribution:
        found = sampled(self._score, row, self._background, self._movable, np.random.default_rng(_SEED))
        return Attribution(found.score, found.base, found.contributions, found.errors, found.base_error)


def is_exact(compiled: Compiled) -> bool:
    """Whether a compiled form holds what an exact explanation needs: files from before explanations do not, and steps
    have no log-odds that contributions could add up to.
    """
    if isinstance(compiled.calibration, Isotonic):
        return False
    function = compiled.function
    return bool(function.trees.cover) if isinstance(function, Forest) else bool(function.means)


def choose(baseline: Baseline, compiled: Compiled | None, own: Callable[[], Score]) -> Explainer:
    """The best way there is. compiled: None where the version is scored by its own model. own: loads that model."""
    if compiled is None:
        return Permutation(baseline, own())
    scorer = CompiledScorer(compiled)
    because = " The version's compiled form is from before explanations: register it anew for exact ones."
    if isinstance(compiled.calibration, Isotonic):
        because = " Not exact: the score is calibrated in steps (isotonic)."
    if is_exact(compiled):
        try:
            return Exact(compiled, scorer)
        except TooLarge as error:
            because = f" Not exact: {error}."

    def score(rows: Sequence[Row]) -> Floats:
        return scorer.score(rows)

    return Permutation(baseline, score, because)
