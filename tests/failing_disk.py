"""`python -m tests.failing_disk FILE`: the API on a disk that fails to sync for as long as FILE exists.

A real process; only the system calls answer as they do on a disk that reports an error.
"""

import errno
import os
import runpy
import sys
from pathlib import Path

_fdatasync, _fsync = os.fdatasync, os.fsync


def main() -> None:
    fails = Path(sys.argv.pop())

    def fdatasync(descriptor: int) -> None:
        if fails.exists():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        _fdatasync(descriptor)

    def fsync(descriptor: int) -> None:
        if fails.exists():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        _fsync(descriptor)

    os.fdatasync, os.fsync = fdatasync, fsync
    runpy.run_module("api", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
