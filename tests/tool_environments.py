"""A program that cannot be installed beside the rest, in an environment of its own in this user's cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

_SECONDS = 300
_CERTIFICATES = {"UV_SYSTEM_CERTS": "true", "UV_NATIVE_TLS": "true"}
"""As the Makefile has it: uv takes them from the system, as pip does."""


class NoTool(Exception):
    """It cannot be installed; one line says why, and what to do."""


def cache_directory() -> Path:
    """Per user, not per clone, as the jars of the local stack. XDG_CACHE_HOME moves it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tidemark" / "tools"


def python_with(requirements: Path) -> Path:
    """The interpreter of an environment that holds what a file of pinned, hashed requirements names, and no more.

    It is made once for each content of the file and each Python. Raises NoTool.
    """
    key = hashlib.sha256(requirements.read_bytes() + f"{sys.base_prefix} {sys.version}".encode()).hexdigest()[:12]
    folder = cache_directory() / f"{requirements.stem}-{key}"
    python, ready = folder / "bin" / "python", folder / "ready"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".claim").open("a") as claim:
        fcntl.flock(claim, fcntl.LOCK_EX)  # two test runs side by side: one installs, the other finds it
        if not (ready.exists() and python.exists()):
            shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
            _install(requirements, folder)
            ready.touch()
    return python


def _install(requirements: Path, folder: Path) -> None:
    """As the Makefile does it: uv, which is fast, or else pip, which reads pip's own settings. Raises NoTool."""
    own = ("--quiet", "--require-hashes", "-r", str(requirements))
    python = str(folder / "bin" / "python")
    said = _run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    if said is None:
        uv = str(Path(sys.executable).with_name("uv"))
        said = _run(uv, "pip", "install", "--python", python, *own)
        if said is not None:
            said = _run(sys.executable, "-m", "pip", "--python", python, "install", *own)
    if said is not None:
        shutil.rmtree(folder, ignore_errors=True)
        raise NoTool(
            f"{requirements.name} cannot be installed into {folder}: {said}: check the network, and pip's settings"
        )


def _run(*command: str) -> str | None:
    """None when it went well, else the last line that it said."""
    environment = {**_CERTIFICATES, **os.environ}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except FileNotFoundError:
        return f"there is no {command[0]}"
    except subprocess.TimeoutExpired:
        return f"{command[0]}: no end within {_SECONDS} s"
    said = (done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.returncode}"]
    return None if done.returncode == 0 else said[-1]
