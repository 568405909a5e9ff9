"""One small reference of the twenty features, with its windows."""

from __future__ import annotations

import pytest

from bench.detection.power import Trial, trial
from bench.detection.reference import Drawn
from bench.detection.tools import CustomaryPsi, ScipyTests


@pytest.fixture(scope="session")
def small_trial() -> Trial:
    drawn = Drawn(seed=5, rows=20_000)
    return trial(drawn, [ScipyTests(drawn), CustomaryPsi(drawn)])
