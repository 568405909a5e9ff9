"""wrk, the load tool: the one that is installed, or Debian's package unpacked into the user's cache; no root needed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from bench.benchmark import BenchError

PACKAGES = ("wrk", "libluajit-5.1-2")
"""The others that wrk needs (OpenSSL, the C library) are part of any Debian."""
_PROGRAM = Path("usr/bin/wrk")
_FIX = "install the package wrk"


class Wrk(NamedTuple):
    """program: to be run with these additions to the environment."""

    program: Path
    env: dict[str, str]


def cache_directory() -> Path:
    """Per user, like that of the Kafka jars. XDG_CACHE_HOME moves it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tidemark" / "debian"


def wrk(cache: Path, installed: str | None) -> Wrk:
    """One that runs. installed: where the machine has one. Raises BenchError, one line."""
    if installed is not None:
        return _checked(Wrk(Path(installed), {}))
    folder = cache / "wrk"
    if not (folder / _PROGRAM).is_file():
        _fetch(folder)
    return _checked(unpacked(folder))


def unpacked(folder: Path) -> Wrk:
    """The wrk in a folder that the packages were unpacked into."""
    libraries = sorted({str(file.parent) for file in folder.glob("usr/lib/*/libluajit*.so*")})
    return Wrk(folder / _PROGRAM, {"LD_LIBRARY_PATH": os.pathsep.join(libraries)})


def _checked(found: Wrk) -> Wrk:
    """`wrk -v` ends with status 1 whatever happens: what it says tells."""
    said = _run([str(found.program), "-v"], None, env={**os.environ, **found.env})
    if not said.stdout.startswith("wrk "):
        raise BenchError(f"wrk does not run ({_last_line(said) or 'it says nothing'}): {_FIX}")
    return found


def _fetch(folder: Path) -> None:
    """Download and unpack; the folder appears whole or not at all. Raises BenchError."""
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise BenchError(f"wrk is not installed, and there is no {tool} to fetch it with: {_FIX}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".incoming-", dir=folder.parent) as name:
        incoming, fresh = Path(name), Path(name, "fresh")
        download = ["apt-get", "download", *PACKAGES]
        ended = _run(download, incoming)
        if ended.returncode != 0:  # a fresh image has no lists: fetch them into a folder of our own
            own = _own_lists(incoming)
            _run(["apt-get", *own, "update"], incoming)
            ended = _run(["apt-get", *own, *download[1:]], incoming)
        files = sorted(incoming.glob("*.deb"))
        if ended.returncode != 0 or len(files) != len(PACKAGES):
            raise BenchError(f"wrk cannot be downloaded ({_last_line(ended)}): {_FIX}, or check the network")
        for file in files:
            unpacking = _run(["dpkg-deb", "-x", str(file), str(fresh)], incoming)
            if unpacking.returncode != 0:
                raise BenchError(f"{file.name} cannot be unpacked ({_last_line(unpacking)}): {_FIX}")
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)


def _own_lists(incoming: Path) -> list[str]:
    lists, archives = incoming / "lists" / "partial", incoming / "archives" / "partial"
    lists.mkdir(parents=True)
    archives.mkdir(parents=True)
    return ["-o", f"Dir::State::Lists={lists.parent}", "-o", f"Dir::Cache={incoming}"]


def _run(
    words: list[str], directory: Path | None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=directory, env=env, capture_output=True, text=True, check=False)


def _last_line(ended: subprocess.CompletedProcess[str]) -> str:
    lines = (ended.stderr or ended.stdout).strip().splitlines()
    return lines[-1] if lines else ""
