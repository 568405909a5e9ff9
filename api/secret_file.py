"""A file of secrets: for its owner alone, changed by one process at a time, replaced whole or not at all."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

Look = tuple[int, int, int] | None


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """A lock on the directory: one on the file would be lost when the file is replaced. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(path: Path, data: bytes) -> None:
    """No reader sees half of it. Raises OSError."""
    target = path.resolve()  # a link stays one
    # mkstemp's files are for their owner alone (mode 0600)
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError:
        os.unlink(temporary)
        raise


def seen(path: Path) -> Look:
    """Its times and size, which differ where it is another file than before; None where it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
