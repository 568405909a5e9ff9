"""A server's data directory: made, checked for space, claimed by one stack at a time, and remembering its port.

The claim is a lock (flock) on a file in the directory. The server inherits it, so the directory stays claimed until
both the stack and its server are gone, and a crash of either leaves nothing to clean up.
"""

import fcntl
import os
import shutil
import time
from pathlib import Path

from demo.stack.errors import DirectoryInUse, DirectoryUnusable, DiskFull

_CLAIM = ".claim"


def make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DirectoryUnusable(
            directory, error.strerror or str(error), "choose another one, or change its owner"
        ) from error


def check_space(directory: Path, need: int) -> None:
    """Raises DiskFull when fewer than `need` bytes are free on the disk of an existing directory."""
    free = shutil.disk_usage(directory).free
    if free < need:
        raise DiskFull(directory, free, need)


class DataDirectory:
    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._claim: int | None = None

    def claim(self, patience: float = 0.0) -> int:
        """Makes the directory and takes its lock, if not done yet. Returns its descriptor, for the server to inherit.

        Raises DirectoryInUse when somebody still has it after `patience` seconds: the server of a stack that was killed
        a moment ago holds it until its last thread is gone.
        """
        if self._claim is not None:
            return self._claim
        make_directory(self.path)
        deadline = time.monotonic() + patience
        while (fd := self._try_claim()) is None:
            if time.monotonic() > deadline:
                raise DirectoryInUse(self.path, (self.path / _CLAIM).read_text(errors="replace").strip())
            time.sleep(0.05)
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._claim = fd
        return fd

    def _try_claim(self) -> int | None:
        try:
            fd = os.open(self.path / _CLAIM, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            why = error.strerror or str(error)
            raise DirectoryUnusable(self.path, why, "choose another one, or change its owner") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        except OSError as error:  # some network file systems have no locks
            os.close(fd)
            why = f"no file lock: {error.strerror}"
            raise DirectoryUnusable(self.path, why, "choose one on a local disk") from error
        return fd

    def release(self) -> None:
        if self._claim is not None:
            os.close(self._claim)
            self._claim = None

    def saved_port(self) -> int | None:
        """The port of the last run here; None without one or with a damaged file (it is only a preference)."""
        file = self.path / "port"
        text = file.read_text(errors="replace").strip() if file.exists() else ""
        return int(text) if text.isdecimal() and 0 < int(text) < 65536 else None

    def save_port(self, port: int) -> None:
        (self.path / "port").write_text(f"{port}\n")
