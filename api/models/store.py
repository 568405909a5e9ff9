"""ModelStore: versions fetched from the registry, and the last champion kept on this machine.

Workers and whole APIs may share one folder for the copies; each alias has its own in it. Whoever looks at what is there
and then changes it holds the folder's lock: of two that take one version at once the second uses the copy of the first.

Everything here blocks: call it in a thread.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import msgspec

from api.errors import ModelRefused
from api.models.fetched import hold, locked, remove_abandoned
from api.models.proof import Proof, fingerprint, remember, remembered
from api.models.registered import RegisteredVersion
from api.models.registry import Registry
from api.models.version import ModelVersion, read_version

log = logging.getLogger(__name__)


class Champion(msgspec.Struct, frozen=True):
    """The file that says which local copy is the last one of an alias, which is its name: `champion.json`.

    folder: of its files, from where this file is.
    """

    name: str
    version: str
    folder: str
    v: int = 1


class ModelStore:
    """The versions of one registered model. cache: a folder for the local copy of what the alias pointed to last."""

    def __init__(self, tracking_uri: str, name: str, alias: str, cache: Path) -> None:
        self._registry = Registry(tracking_uri, name, alias)
        self._name = name
        self._cache = (cache / name).resolve()  # MLflow answers with absolute paths, which are compared with it
        self._file = self._cache / f"{quote(alias, safe='')}.json"  # another alias' copy is never served for this one
        self._swept = False
        self._in_use: int | None = None

    def resolve(self) -> str:
        """The version that the alias points to now. Raises RegistryAway."""
        return self._registry.resolve()

    def listed(self, most: int) -> tuple[RegisteredVersion, ...]:
        """The newest versions and those with an alias, newest first. Raises RegistryAway."""
        return self._registry.listed(most)

    def load(self, version: str) -> ModelVersion:
        """Fetch a version and load it; then either keep() or discard() it. Raises RegistryAway or ModelRefused."""
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            with locked(self._cache):
                self._sweep()
                folder = Path(tempfile.mkdtemp(prefix=f"{version}.", dir=self._cache))
                self._in_use = hold(folder)
        except OSError as error:
            raise ModelRefused(f"API_MODEL_CACHE: {self._cache} cannot be written: {error.strerror}") from error
        try:
            files = self._registry.download(version, folder)
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
            with locked(self._cache):
                there = self._kept(model, model.files)
                self._renew(model.files if there is None else there, proof)
                if there is None:
                    self._remember(Champion(self._name, model.version, str(model.files.relative_to(self._cache))))
        except OSError as error:
            log.error("models: %s is not kept as the local copy: %s: %s", model.version, self._cache, error.strerror)
            self.discard(model)
            return None
        if there is not None:
            self.discard(model)
            return there
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
            raise ModelRefused(f"{self._cache} holds no local copy of what the alias pointed to: no {self._file.name}")
        folder = self._cache / champion.folder
        return replace(read_version(folder, self._name, champion.version, cached=True), proof=remembered(folder))

    def _kept(self, model: ModelVersion, files: Path) -> Path | None:
        """Where the local copy is, if it is of this version and has the same files."""
        before = self._remembered()
        if before is None or before.version != model.version:
            return None
        there = self._cache / before.folder
        return there if there.is_dir() and fingerprint(there) == fingerprint(files) else None

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
        if not self._swept:
            kept = map(_read, self._cache.glob("*.json"))
            remove_abandoned(self._cache, but={_top(champion) for champion in kept if champion is not None})
        self._swept = True

    def _remembered(self) -> Champion | None:
        return _read(self._file)

    def _remember(self, champion: Champion) -> None:
        """Point to the new copy, then remove the one before it. Other processes may share the folder."""
        before = self._remembered()
        replacement = self._cache / f"{_top(champion)}.json"
        replacement.write_bytes(msgspec.json.encode(champion))
        replacement.replace(self._file)
        if before is not None and before.folder != champion.folder:
            shutil.rmtree(self._cache / _top(before), ignore_errors=True)


def _read(file: Path) -> Champion | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Champion)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def _top(champion: Champion) -> str:
    """The folder that load() made; what MLflow put into it may lie deeper."""
    return Path(champion.folder).parts[0]
