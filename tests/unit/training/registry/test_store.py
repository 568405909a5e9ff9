"""What MLflow says is told in one line of whole words."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.errors import RegistryError
from training.registry.store import Registry


def test_a_long_reason_is_cut_between_words_and_the_cut_is_shown() -> None:
    with (
        pytest.raises(RegistryError, match=r"MLflow at here refused it: (reason )+\.\.\. \(TRAINING_TRACKING_URI\)$"),
        Registry("here", Path("artifacts"), "tests").errors("refused it"),
    ):
        raise ValueError("reason\n" * 100)
