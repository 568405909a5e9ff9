"""Fetched: a folder that is being filled belongs to a living process for as long as that holds a lock on it.

The kernel drops the lock (flock) with the process, also on SIGKILL; what nobody holds then is a leftover. The folder
around it has a lock of its own, which is held for moments: `locked`.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)


def hold(folder: Path) -> int:
    """Lock a folder until the descriptor that this returns is closed. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Alone among the processes that share the folder of folders; waits for the one before. Raises OSError."""
    descriptor = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def remove_abandoned(root: Path, but: Collection[str]) -> None:
    """Remove the folders in root that no living process holds. but: the names of those that stay."""
    for folder in [entry for entry in root.iterdir() if entry.is_dir() and entry.name not in but]:
        try:
            descriptor = hold(folder)
        except OSError:  # held, or gone already
            continue
        try:
            shutil.rmtree(folder, ignore_errors=True)
            log.info("models: removed %s, which a process that was killed had begun to fetch", folder)
        finally:
            os.close(descriptor)
