"""The demo's working directory: one run at a time, emptied before each."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.errors import Busy, DemoError


def claimed(directory: Path) -> bool:
    """Whether a run has the directory now."""
    try:
        claim = os.open(directory.with_suffix(".lock"), os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(claim)
    return False


def holder(directory: Path) -> int | None:
    """The process that has the directory now; None when nobody has."""
    text = directory.with_suffix(".lock").read_text().strip() if claimed(directory) else ""
    return int(text) if text.isdecimal() else None


@contextmanager
def fresh_directory(directory: Path) -> Iterator[Path]:
    """Claim a directory for this process and empty it. Raises Busy while another run has it, DemoError if unusable."""
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        claim = os.open(directory.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise DemoError(f"{directory}: {error.strerror}: choose another place with --directory") from error
    try:
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(directory) from error
        os.ftruncate(claim, 0)
        os.pwrite(claim, f"{os.getpid()}\n".encode(), 0)
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True, exist_ok=True)
        yield directory
    finally:
        os.close(claim)  # which gives the claim back
