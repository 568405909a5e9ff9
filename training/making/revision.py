"""Which code made a model: the revision recorded with each version."""

from __future__ import annotations

import subprocess
from pathlib import Path

UNKNOWN = "unknown"


def code_revision(setting: str | None, folder: Path) -> str:
    """`setting` if given, else the git commit of `folder` (with `-dirty` when files differ from it), else `unknown`."""
    if setting:
        return setting
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--match", ""]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):  # no git, or not a clone: an image, an unpacked archive
        return UNKNOWN
    return done.stdout.strip() or UNKNOWN
