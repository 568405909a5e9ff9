"""Proof: that a compiled form gives the model's own scores, as found by asking both; remembered beside the local copy.

It holds for these very files with these very libraries, which its fingerprint names. So a start may answer with the
compiled form at once, without the seconds that loading scikit-learn and the model take, and ask the model afterwards.
"""

from __future__ import annotations

import hashlib
import platform
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import msgspec

PROOF_FILE = "tidemark-proof.json"
_LIBRARIES = ("numpy", "onnxruntime", "pandas", "scikit-learn", "scipy", "skops")
_NOT_OF_THE_VERSION = {PROOF_FILE, "registered_model_meta"}  # MLflow writes the second while it fetches


class Proof(msgspec.Struct, frozen=True):
    """difference: the largest one between the compiled form's scores and the model's own, on `rows` rows; relative
    above 1. at: when the model was asked.
    """

    fingerprint: str
    difference: float
    rows: int
    at: datetime
    v: int = 1


class Found(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the model said. refused: it cannot be served at all. wrong: the compiled form is not its own."""

    difference: float = 0.0
    rows: int = 0
    refused: str = ""
    wrong: str = ""


def fingerprint(folder: Path) -> str:
    """Names a version's files and what they are read with: a change of either makes another one. Raises OSError."""
    found = hashlib.sha256(f"{platform.python_version()} {platform.machine()}".encode())
    for library in _LIBRARIES:
        found.update(f"\n{library} {_version(library)}".encode())
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.name not in _NOT_OF_THE_VERSION:
            found.update(f"\n{file.relative_to(folder)} ".encode())
            with file.open("rb") as opened:
                found.update(hashlib.file_digest(opened, "sha256").digest())
    return found.hexdigest()


def remembered(folder: Path) -> Proof | None:
    """The proof that was kept with these files, if it holds for them as they are now."""
    try:
        proof = msgspec.json.decode((folder / PROOF_FILE).read_bytes(), type=Proof)
        return proof if proof.fingerprint == fingerprint(folder) else None
    except (OSError, msgspec.MsgspecError):
        return None


def remember(folder: Path, proof: Proof) -> None:
    """Keep it for later starts. Raises OSError."""
    fresh = folder / f"{PROOF_FILE}.new"
    fresh.write_bytes(msgspec.json.encode(proof))
    fresh.replace(folder / PROOF_FILE)


def models_can_be_asked() -> bool:
    """Whether this installation can load a model at all: the slim image has no scikit-learn."""
    return find_spec("sklearn") is not None and find_spec("skops") is not None


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "-"
