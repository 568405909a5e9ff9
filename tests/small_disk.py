"""A disk of some megabytes that a test can fill: a tmpfs in a mount namespace of its own; nobody need be root for it.

What is to see the disk runs behind `inside`; the test itself reaches it by `path`.
"""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class SmallDisk:
    """mounted: its directory, as processes behind `inside` see it."""

    def __init__(self, mounted: Path, keeper: int) -> None:
        self.mounted = mounted
        enter = ["nsenter", "-t", str(keeper), "-U", "-m", "--preserve-credentials"]
        self.inside = [*enter, "--", "env", "-C", os.getcwd()]  # nsenter goes to the root directory
        self.path = Path(f"/proc/{keeper}/root{mounted}")
        self._filler = self.path / "filler"

    def fill(self) -> None:
        """Until nothing goes in any more."""
        with self._filler.open("ab", buffering=0) as filler:
            for size in (1 << 16, 1 << 12, 1):
                while _goes_in(filler.write, size):
                    pass

    def make_room(self) -> None:
        self._filler.unlink()


@contextmanager
def small_disk(mounted: Path, mib: int) -> Iterator[SmallDisk]:
    """Raises AssertionError where the system lets nobody have a mount namespace."""
    mounted.mkdir()
    script = f"mount -t tmpfs -o size={mib}m tmpfs {shlex.quote(str(mounted))} && echo mounted && exec sleep 900"
    keeper = subprocess.Popen(["unshare", "-rm", "sh", "-c", script], stdout=subprocess.PIPE, text=True)
    assert keeper.stdout is not None
    try:
        said = keeper.stdout.readline()
        assert said == "mounted\n", "a mount namespace is needed: unshare -rm must be allowed"
        yield SmallDisk(mounted, keeper.pid)
    finally:
        keeper.kill()
        keeper.wait()
        keeper.stdout.close()


def _goes_in(write: Callable[[bytes], int | None], size: int) -> bool:
    try:
        return write(bytes(size)) == size
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return False
