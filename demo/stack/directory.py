"""A server's data directory: made, checked for space, claimed by one stack at a time, and remembering its port.

The claim is a lock (flock) on a file in the directory. The server inherits it, so the directory stays claimed until
both the stack and its server are gone, and a crash of either leaves nothing to clean up.
"""

import fcntl
import os
import shutil
from pathlib import Path

from demo.stack.errors import DirectoryInUse, DirectoryUnusable, DiskFull


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

    def claim(self) -> int:
        """Makes the directory and takes its lock, if not done yet; raises DirectoryInUse when somebody has it.

        Returns the lock's file descriptor, for the server to inherit.
        """
        if self._claim is not None:
            return self._claim
        make_directory(self.path)
        try:
            fd = os.open(self.path / ".claim", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise DirectoryUnusable(
                self.path, error.strerror or str(error), "choose another one, or change its owner"
            ) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(fd, 32, 0).decode(errors="replace").strip()
            os.close(fd)
            raise DirectoryInUse(self.path, holder) from error
        except OSError as error:  # some network file systems have no locks
            os.close(fd)
            raise DirectoryUnusable(
                self.path, f"no file lock: {error.strerror}", "choose one on a local disk"
            ) from error
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._claim = fd
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
