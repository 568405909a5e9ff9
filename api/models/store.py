"""ModelStore: versions fetched from the registry, and the last champion kept on this machine.

The champion before it is kept too, and, by a store of its own, the version on its way: going back to the one and on to
the other takes no fetching.

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
from api.models.pointers import Pointers
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
    """The versions of one registered model. cache: a folder for the local copy of what the alias pointed to last.

    copy: name of that copy, the alias unless told otherwise. before: whether the copy before it is kept too.
    """

    def __init__(
        self, tracking_uri: str, name: str, alias: str, cache: Path, *, copy: str = "", before: bool = False
    ) -> None:
        self._registry = Registry(tracking_uri, name, alias)
        self._name = name
        copy = copy or alias
        self._cache = (cache / name).resolve()  # MLflow answers with absolute paths, which are compared with it
        self._file = self._cache / f"{quote(copy, safe='')}.json"  # another alias' copy is never served for this one
        self._file_before = self._cache / f"{quote(copy, safe='')}+before.json" if before else None
        self._swept = False
        self._in_use: int | None = None

    def pointers(self) -> Pointers:
        """Which version is for what now. Raises RegistryAway."""
        return self._registry.pointers()

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

    def keep_again(self, version: str, folder: Path) -> bool:
        """A version whose files are here already becomes the local copy. False where they are gone, or without room."""
        try:
            with locked(self._cache):
                if not folder.is_dir() or not folder.is_relative_to(self._cache):
                    return False
                self._remember(Champion(self._name, version, str(folder.relative_to(self._cache))))
        except OSError as error:
            log.error("models: %s is not kept as the local copy: %s: %s", version, self._cache, error.strerror)
            return False
        return True

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
            remove_abandoned(self._cache, but=self._pointed_to())
        self._swept = True

    def _remembered(self) -> Champion | None:
        return _read(self._file)

    def _remember(self, champion: Champion) -> None:
        """Point to the new copy, then remove what nothing points to any more. Other processes may share the folder."""
        before = self._remembered()
        if before is not None and before.folder == champion.folder:
            return
        gone = before
        if before is not None and self._file_before is not None:
            gone = _read(self._file_before)
            self._point(self._file_before, before)
        self._point(self._file, champion)
        if gone is not None and _top(gone) not in self._pointed_to():
            shutil.rmtree(self._cache / _top(gone), ignore_errors=True)

    def _point(self, file: Path, champion: Champion) -> None:
        replacement = self._cache / f"{_top(champion)}.json.new"
        replacement.write_bytes(msgspec.json.encode(champion))
        replacement.replace(file)

    def _pointed_to(self) -> set[str]:
        kept = map(_read, self._cache.glob("*.json"))
        return {_top(champion) for champion in kept if champion is not None}


def _read(file: Path) -> Champion | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Champion)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def _top(champion: Champion) -> str:
    """The folder that load() made; what MLflow put into it may lie deeper."""
    return Path(champion.folder).parts[0]
