"""A disk whose syncs fail when a test says so."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock


@contextmanager
def disk_that_does_not_sync() -> Iterator[list[int]]:
    """Every fdatasync and fsync fails meanwhile, as the kernel tells of a failing disk; the descriptors it was asked
    for. No file system that fails on demand can be mounted without being root.
    """
    asked: list[int] = []

    def fails(descriptor: int) -> None:
        asked.append(descriptor)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with mock.patch("os.fdatasync", fails), mock.patch("os.fsync", fails):
        yield asked
