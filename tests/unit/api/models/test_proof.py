"""What was found of a compiled form is remembered, for these files and libraries and no others."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from api.errors import ModelRefused
from api.models.fetched import hold, remove_abandoned
from api.models.proof import PROOF_FILE, Found, Proof, fingerprint, remember, remembered
from api.models.served import prepare
from api.models.store import ModelStore
from api.models.version import ModelVersion
from contracts.model_files import BASELINE_FILE, COMPILED_FILE
from tests.builders import NOON, a_baseline
from tests.serving import FUTURE
from tests.unit.api.models.test_compiled import FORM, PIPELINE, SCHEMA, skewed


def a_folder(root: Path, name: str = "1.abc", compiled: bytes | None = None) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / BASELINE_FILE).write_bytes(a_baseline(schema=SCHEMA).to_bytes())
    (folder / COMPILED_FILE).write_bytes(compiled or FORM.to_bytes())
    return folder


def a_proof(folder: Path, difference: float = 4e-16) -> Proof:
    return Proof(fingerprint(folder), difference, 256, NOON)


def a_version(folder: Path, **more: object) -> ModelVersion:
    compiled = (folder / COMPILED_FILE).read_bytes()
    version = ModelVersion("flights", "1", a_baseline(schema=SCHEMA), None, compiled=compiled, folder=folder)
    return replace(version, **more)  # type: ignore[arg-type]


def nobody(_: ModelVersion) -> Found | None:
    raise AssertionError("the model was asked")


def test_what_is_remembered_holds_until_a_file_or_a_library_changes(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    assert remembered(folder) is None
    remember(folder, a_proof(folder))
    assert remembered(folder) == a_proof(folder)

    (folder / "registered_model_meta").write_text("written by MLflow while it fetches")
    assert remembered(folder) == a_proof(folder)

    (folder / "model.skops").write_bytes(b"another model")
    assert remembered(folder) is None


def test_what_another_library_was_asked_is_not_taken(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    remember(folder, a_proof(folder))
    said = json.loads((folder / PROOF_FILE).read_bytes())
    (folder / PROOF_FILE).write_text(json.dumps({**said, "fingerprint": "0" * 64}))
    assert remembered(folder) is None
    (folder / PROOF_FILE).write_text("{")
    assert remembered(folder) is None


def test_a_start_with_a_remembered_proof_does_not_ask_the_model_and_says_so(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    made = prepare(a_version(folder, proof=a_proof(folder)), NOON, FUTURE, nobody)
    assert made.scorer.kind == "compiled-linear"
    assert made.scorer_note.startswith("within ")
    assert made.scorer_note.endswith("with the same files and libraries; not asked again yet")


def test_a_form_that_left_its_own_sample_is_not_served_whatever_is_remembered(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, compiled=skewed(1e-4))
    made = prepare(a_version(folder, proof=a_proof(folder), estimator=PIPELINE), NOON, FUTURE, nobody)
    assert made.scorer.kind == "predict_proba"


def test_what_the_model_says_elsewhere_is_noted_and_becomes_the_proof(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    made = prepare(a_version(folder), NOON, FUTURE, lambda _: Found(3e-16, 256))
    assert made.scorer_note.endswith("of the model's own scores on 256 rows")
    assert made.proof == Proof(fingerprint(folder), 3e-16, 256, NOON)


def test_a_version_that_is_refused_elsewhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="pickled"):
        prepare(a_version(a_folder(tmp_path)), NOON, FUTURE, lambda _: Found(refused="it is pickled"))


def test_where_nobody_can_be_asked_the_model_is_asked_here(tmp_path: Path) -> None:
    made = prepare(a_version(a_folder(tmp_path), estimator=PIPELINE), NOON, FUTURE, lambda _: None)
    assert made.scorer.kind == "compiled-linear"
    assert made.scorer_note.endswith("of the model's own scores on 256 rows")


def test_what_a_killed_process_had_begun_to_fetch_is_removed_and_what_lives_stays(tmp_path: Path) -> None:
    for name in ("1.champion", "2.held", "3.left"):
        (tmp_path / name).mkdir()
    held = hold(tmp_path / "2.held")

    remove_abandoned(tmp_path, but={"1.champion"})

    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["1.champion", "2.held"]
    os.close(held)


def test_a_version_fetched_again_leaves_the_local_copy_where_others_read_it(tmp_path: Path) -> None:
    store = ModelStore("sqlite:///nowhere.db", "flights", "champion", tmp_path)
    first = a_folder(tmp_path / "flights", "1.first")
    assert store.keep(a_version(first, files=first), a_proof(first)) == first

    again = a_folder(tmp_path / "flights", "1.again")
    assert store.keep(a_version(again, files=again), a_proof(again, 5e-16)) == first

    assert not again.exists()
    assert remembered(first) == a_proof(first, 5e-16)
    assert store.load_cached().folder == first
