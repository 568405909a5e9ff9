"""The library shap says the same of a boosted model, a forest and a logistic regression, each with its encoder."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest

from api.explaining.attribution import Exact
from contracts.compiled import Compiled
from contracts.compiled_scorer import CompiledScorer
from tests.unit.api.explaining.golden import GOLDEN

SAID = json.loads(GOLDEN.read_text())
ROWS = [tuple(row) for row in SAID["rows"]]


@pytest.mark.parametrize("kind", SAID["models"])
def test_contributions_and_base_value_are_those_of_the_library_shap(kind: str) -> None:
    said: dict[str, Any] = SAID["models"][kind]
    compiled = Compiled.from_bytes(base64.b64decode(said["compiled"]))
    explainer = Exact(compiled, CompiledScorer(compiled))
    found = [explainer.explain(row) for row in ROWS]
    np.testing.assert_allclose([each.base for each in found], said["base"], rtol=0, atol=1e-9)
    np.testing.assert_allclose([each.contributions for each in found], said["features"], rtol=0, atol=1e-9)
