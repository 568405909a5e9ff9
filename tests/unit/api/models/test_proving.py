"""The process that asks a model: it says why it cannot, and ends when nobody waits for it."""

from __future__ import annotations

from pathlib import Path

from api.models.proving import Prover
from tests.unit.api.models.test_proof import a_folder, a_version


def test_what_is_no_model_is_refused_by_the_process_that_was_to_ask_it(tmp_path: Path) -> None:
    found = Prover()(a_version(a_folder(tmp_path)))
    assert found is not None
    assert found.refused.startswith("flights/1 is not an MLflow model")


def test_once_closed_nobody_is_asked_any_more(tmp_path: Path) -> None:
    prover = Prover()
    prover.close()
    assert prover(a_version(a_folder(tmp_path))) is None
