"""Child: how a process of our own is started that works for this one: with what Python needs, and with no secret."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV")


def command(module: str, *arguments: str) -> list[str]:
    """`python -m MODULE ARGUMENTS`, by the same Python."""
    return [sys.executable, "-m", module, *arguments]


def environment() -> dict[str, str]:
    """Of ours only what Python needs: the API's settings hold passwords. One thread for each library's arithmetic."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return passed | {
        "PYTHONPATH": path,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "ORT_DISABLE_TELEMETRY": "1",
    }
