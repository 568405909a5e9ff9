"""ModelVersion: one version's files, read: its baseline, its compiled form, and its estimator where that is needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.errors import ModelRefused
from api.models.proof import Proof, models_can_be_asked
from api.models.registry import first_line, flavor_of
from contracts.baseline import Baseline
from contracts.compiled import MAX_BYTES
from contracts.errors import InvalidBaseline
from contracts.model_files import BASELINE_FILE, COMPILED_FILE, SKOPS_TRUSTED_TYPES


@dataclass(frozen=True)
class ModelVersion:
    """One version, loaded. cached: it came from the local copy, not from the registry. files: what was fetched.

    estimator: None where it was not loaded, because there is a compiled form. compiled: that one as stored, not read
    yet; None where there is none. folder: where its files are, for as long as it is the local copy. proof: what an
    earlier load found of the compiled form; it holds for these files and the installed libraries.
    """

    name: str
    version: str
    baseline: Baseline
    estimator: Any
    cached: bool = False
    files: Path | None = None
    compiled: bytes | None = None
    folder: Path | None = None
    proof: Proof | None = None


def read_version(folder: Path, name: str, version: str, *, cached: bool, load: bool = False) -> ModelVersion:
    """A version from its files. Raises ModelRefused. load: also the estimator of one that has a compiled form."""
    key = f"{name}/{version}"
    file = folder / BASELINE_FILE
    if not file.is_file():
        raise ModelRefused(
            f"{key} has no {BASELINE_FILE}: add one with "
            f"`python -m training baseline --model {name} --version {version} --reference FILE`"
        )
    try:
        baseline = Baseline.from_bytes(file.read_bytes())
    except InvalidBaseline as error:
        raise ModelRefused(f"{key}: {BASELINE_FILE}: {error}") from error
    if baseline.key != key:
        raise ModelRefused(f"{key} carries the baseline of {baseline.key}: fit one to this version")
    compiled = _start_of(folder / COMPILED_FILE, MAX_BYTES + 1)
    needed = load or compiled is None
    estimator = read_estimator(folder, key) if needed and models_can_be_asked() else None
    return ModelVersion(name, version, baseline, estimator, cached, compiled=compiled, folder=folder)


def _start_of(file: Path, size: int) -> bytes | None:
    """At most so many bytes of a file; None where there is none."""
    if not file.is_file():
        return None
    with file.open("rb") as opened:
        return opened.read(size)


def read_estimator(folder: Path, key: str) -> Any:
    """The estimator among a version's files. Raises ModelRefused. key: of the version, for the error's text.

    Not mlflow.sklearn.load_model: it trusts every type that the file itself says may be trusted."""
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    flavor = flavor_of(folder, key)
    if flavor.get("serialization_format") != "skops":
        raise ModelRefused(
            f'{key} is pickled, and loading a pickle runs its code: log it with serialization_format="skops"'
        )
    try:
        return skops.io.load(folder / flavor["pickled_model"], trusted=list(SKOPS_TRUSTED_TYPES))
    except UntrustedTypesFoundException as error:
        raise ModelRefused(f"{key} holds types that are not in contracts.model_files: {first_line(error)}") from error
    except Exception as error:  # a damaged file, or another scikit-learn: skops raises whatever it met
        raise ModelRefused(f"{key} cannot be loaded: {type(error).__name__}: {first_line(error)}") from error
