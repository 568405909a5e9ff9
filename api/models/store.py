"""Models from MLflow: what the alias points to, a version's estimator and baseline, and the last champion kept locally.

The only file that knows MLflow. Everything here blocks: call it in a thread. The alias is resolved once to a version;
from then on only the version is named, because an alias asked twice may be two versions.
"""

from __future__ import annotations

import gc
import logging
import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from api.errors import ModelRefused, RegistryAway
from api.models.fetched import hold, remove_abandoned
from api.models.proof import Proof, fingerprint, models_can_be_asked, remember, remembered
from api.models.registered import RegisteredVersion
from contracts.baseline import Baseline
from contracts.compiled import MAX_BYTES
from contracts.errors import InvalidBaseline
from contracts.model_files import BASELINE_FILE, COMPILED_FILE, SKOPS_TRUSTED_TYPES

log = logging.getLogger(__name__)

_CHAMPION = "champion.json"
_SQLITE = "sqlite:///"


@cache
def _mlflow() -> Any:
    """MLflow, imported late: its import takes seconds, in which the API listens already; and it reads these then."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # MLflow's own are 7 attempts of 120 s: the poll tries again by itself, and a start should soon take its local copy
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
    import mlflow.artifacts
    import mlflow.models
    import mlflow.tracking

    return mlflow


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


class Champion(msgspec.Struct, frozen=True):
    """The file that says which local copy is the last champion. folder: of its files, from where this file is."""

    name: str
    version: str
    folder: str
    v: int = 1


class ModelStore:
    """The versions of one registered model. cache: a folder for the local copy of the last champion."""

    def __init__(self, tracking_uri: str, name: str, alias: str, cache: Path) -> None:
        self._uri = tracking_uri
        self._name = name
        self._alias = alias
        self._cache = (cache / name).resolve()  # MLflow answers with absolute paths, which are compared with it
        self._client: Any = None
        self._swept = self._settled = False
        self._in_use: int | None = None

    def resolve(self) -> str:
        """The version that the alias points to now. Raises RegistryAway."""
        self._check_file()
        try:
            return str(self._registry().get_model_version_by_alias(self._name, self._alias).version)
        except Exception as error:  # whatever its store's driver raises: SQLAlchemy's, requests', MLflow's own
            raise RegistryAway(f"{self._name}@{self._alias}: {_first_line(error)}") from error

    def listed(self, most: int) -> tuple[RegisteredVersion, ...]:
        """The newest versions and those with an alias, newest first. Raises RegistryAway."""
        self._check_file()
        try:
            client = self._registry()
            aliases: dict[str, str] = client.get_registered_model(self._name).aliases
            newest = client.search_model_versions(
                f"name='{self._name}'", max_results=most, order_by=["version_number DESC"]
            )
            known = {str(one.version): one for one in newest}
            for version in set(map(str, aliases.values())) - set(known):
                known[version] = client.get_model_version(self._name, version)
            return tuple(self._facts(known[version], aliases) for version in sorted(known, key=int, reverse=True))
        except Exception as error:  # as in resolve()
            raise RegistryAway(f"{self._name}: {_first_line(error)}") from error

    def load(self, version: str) -> ModelVersion:
        """Fetch a version and load it; then either keep() or discard() it. Raises RegistryAway or ModelRefused."""
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            self._sweep()
            folder = Path(tempfile.mkdtemp(prefix=f"{version}.", dir=self._cache))
            self._in_use = hold(folder)
        except OSError as error:
            raise ModelRefused(f"API_MODEL_CACHE: {self._cache} cannot be written: {error.strerror}") from error
        try:
            files = self._download(version, folder)
            return replace(read_version(files, self._name, version, cached=False), files=files)
        except Exception:
            shutil.rmtree(folder)
            self._let_go()
            raise

    def keep(self, model: ModelVersion, proof: Proof | None = None) -> Path | None:
        """What load() gave can be served: it becomes the local copy. Without room for that the one before it stays.

        proof: that its compiled form is right, if it was asked. Returns where its files are from now on, if anywhere:
        where the local copy is the same already, files that another process of this machine may be reading stay.
        """
        if model.files is None:
            return model.folder
        try:
            before = self._remembered()
            if before is not None and before.version == model.version:
                there = self._cache / before.folder
                if there.is_dir() and fingerprint(there) == fingerprint(model.files):
                    self._renew(there, proof)
                    self.discard(model)
                    return there
            self._renew(model.files, proof)
            self._remember(Champion(self._name, model.version, str(model.files.relative_to(self._cache))))
        except OSError as error:
            log.error("models: %s is not kept as the local copy: %s: %s", model.version, self._cache, error.strerror)
            self.discard(model)
            return None
        self._let_go()
        return model.files

    def discard(self, model: ModelVersion) -> None:
        """What load() gave cannot be served: the local copy stays what it was."""
        if model.files is not None:
            folder = model.files.relative_to(self._cache).parts[0]
            shutil.rmtree(self._cache / folder, ignore_errors=True)
        self._let_go()

    def load_cached(self) -> ModelVersion:
        """The last champion that was loaded here. Raises ModelRefused when there is none, or it cannot be used."""
        champion = self._remembered()
        if champion is None:
            raise ModelRefused(f"{self._cache} holds no local copy of a champion")
        folder = self._cache / champion.folder
        return replace(read_version(folder, self._name, champion.version, cached=True), proof=remembered(folder))

    @staticmethod
    def _renew(folder: Path, proof: Proof | None) -> None:
        if proof is not None:
            remember(folder, proof)

    def _let_go(self) -> None:
        if self._in_use is not None:
            os.close(self._in_use)
            self._in_use = None

    def _sweep(self) -> None:
        """Once: remove what processes that were killed had begun to fetch."""
        champion = self._remembered()
        if not self._swept:
            remove_abandoned(self._cache, but=None if champion is None else _top(champion))
        self._swept = True

    def _registry(self) -> Any:
        if self._client is None:  # on first use: for a SQLite file it opens the database
            self._client = _mlflow().tracking.MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)
        return self._client

    def _facts(self, found: Any, aliases: dict[str, str]) -> RegisteredVersion:
        location = self._registry().get_model_version_download_uri(self._name, found.version)
        listing = _mlflow().artifacts.list_artifacts(artifact_uri=location, tracking_uri=self._uri)
        files = {file.path.rsplit("/", 1)[-1] for file in listing}
        return RegisteredVersion(
            version=str(found.version),
            aliases=tuple(sorted(alias for alias, version in aliases.items() if str(version) == str(found.version))),
            created=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
            baseline=BASELINE_FILE in files,
            compiled=COMPILED_FILE in files,
            metrics=dict(self._registry().get_run(found.run_id).data.metrics) if found.run_id else {},
            description=found.description or "",
        )

    def _check_file(self) -> None:
        """MLflow would make an empty registry of a mistyped file name."""
        if self._uri.startswith(_SQLITE) and not Path(self._uri.removeprefix(_SQLITE)).is_file():
            raise RegistryAway(f"API_TRACKING_URI: there is no file {self._uri.removeprefix(_SQLITE)}")

    def _download(self, version: str, folder: Path) -> Path:
        try:
            # not "models:/NAME/VERSION": MLflow looks that up in the process's default registry, whatever it is told
            location = self._registry().get_model_version_download_uri(self._name, version)
            files = _mlflow().artifacts.download_artifacts(
                artifact_uri=location, dst_path=str(folder), tracking_uri=self._uri, registry_uri=self._uri
            )
        except Exception as error:  # as in resolve()
            raise RegistryAway(f"{self._name}/{version} cannot be fetched: {_first_line(error)}") from error
        if not self._settled:
            gc.freeze()  # MLflow is all there now: a collection that looks through it holds every thread for .15 s
            self._settled = True
        return Path(files)

    def _remembered(self) -> Champion | None:
        file = self._cache / _CHAMPION
        try:
            return msgspec.json.decode(file.read_bytes(), type=Champion)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None

    def _remember(self, champion: Champion) -> None:
        """Point to the new copy, then remove the one before it. Other processes may share the folder."""
        before = self._remembered()
        replacement = self._cache / f"{_top(champion)}.json"
        replacement.write_bytes(msgspec.json.encode(champion))
        replacement.replace(self._cache / _CHAMPION)
        if before is not None and before.folder != champion.folder:
            shutil.rmtree(self._cache / _top(before), ignore_errors=True)


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


def _top(champion: Champion) -> str:
    """The folder that load() made; what MLflow put into it may lie deeper."""
    return Path(champion.folder).parts[0]


def read_estimator(folder: Path, key: str) -> Any:
    """The estimator among a version's files. Raises ModelRefused. key: of the version, for the error's text.

    Not mlflow.sklearn.load_model: it trusts every type that the file itself says may be trusted."""
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        flavor = _mlflow().models.Model.load(str(folder)).flavors.get("sklearn")
    except Exception as error:  # MLflow's own, or YAML's
        raise ModelRefused(f"{key} is not an MLflow model: {_first_line(error)}") from error
    if flavor is None:
        raise ModelRefused(f"{key} has no scikit-learn flavour: log it with mlflow.sklearn.log_model")
    if flavor.get("serialization_format") != "skops":
        raise ModelRefused(
            f'{key} is pickled, and loading a pickle runs its code: log it with serialization_format="skops"'
        )
    try:
        return skops.io.load(folder / flavor["pickled_model"], trusted=list(SKOPS_TRUSTED_TYPES))
    except UntrustedTypesFoundException as error:
        raise ModelRefused(f"{key} holds types that are not in contracts.model_files: {_first_line(error)}") from error
    except Exception as error:  # a damaged file, or another scikit-learn: skops raises whatever it met
        raise ModelRefused(f"{key} cannot be loaded: {type(error).__name__}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
