"""`bench training` measures what is promised, and fails where it takes longer."""

from __future__ import annotations

from typing import Any

import pytest

from bench.fitting import CONFIG, JOBS, LIMIT_SECONDS, TRAINING, TrainingFigures
from training.configuration.config import read_config


def figures(seconds: float) -> TrainingFigures:
    right: dict[str, Any] = {"rows": 64_631, "features": 17, "candidates": 27, "jobs": 2, "cpu_seconds": 120.0}
    return TrainingFigures(seconds=seconds, steps={}, auc=0.75, test_rows=12_927, scores="s" * 64, **right)


@pytest.mark.parametrize(("seconds", "held"), [(LIMIT_SECONDS, True), (LIMIT_SECONDS + 0.01, False)])
def test_a_training_that_takes_longer_than_promised_fails(seconds: float, held: bool) -> None:
    assert TRAINING.held(figures(seconds)) is held


def test_what_is_timed_is_the_search_that_is_promised() -> None:
    search = read_config(CONFIG).search
    assert search is not None
    assert (search.candidates, JOBS, LIMIT_SECONDS) == (27, 2, 90.0)
