"""A Debian package, unpacked into this user's cache: nothing is installed, and nobody need be root."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.servers.verbs import NoServers

_DOWNLOAD_SECONDS = 300


def cache_directory() -> Path:
    """Per user, not per clone, as the jars of the local stack. XDG_CACHE_HOME moves it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tidemark" / "debian"


def unpacked(package: str) -> Path:
    """The folder with the package's files. Raises NoServers, which says how to get it by hand."""
    folder = cache_directory() / package
    if folder.is_dir():
        return folder
    if missing := [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]:
        raise NoServers(
            f"{package} is not installed, and without {' and '.join(missing)} Debian's package of that name cannot be "
            "fetched: install it"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / ".claim").open("a") as claim:
        fcntl.flock(claim, fcntl.LOCK_EX)  # two test runs side by side: one downloads, the other finds it
        if not folder.is_dir():
            _unpack(package, folder)
    return folder


def _unpack(package: str, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        work = Path(scratch)
        lists = work / "lists"
        (lists / "partial").mkdir(parents=True)
        own = ("-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={work}")
        try:
            # the machine's own lists first; where there are none, or old ones, lists of this run's own
            if _run(work, "apt-get", "-q", "download", package) is not None:
                for command in (("update",), ("download", package)):
                    if error := _run(work, "apt-get", "-q", *own, *command):
                        raise NoServers(f"apt-get {command[0]} fails, for Debian's package {package}: {error}")
            (file,) = work.glob("*.deb")
            if error := _run(work, "dpkg-deb", "-x", str(file), str(work / "unpacked")):
                raise NoServers(f"{file.name} cannot be unpacked: {error}")
        except subprocess.TimeoutExpired as error:
            raise NoServers(f"{' '.join(error.cmd)}: no end within {_DOWNLOAD_SECONDS} s") from None
        (work / "unpacked").rename(target)


def _run(directory: Path, *command: str) -> str | None:
    """None when it went well, else the last line that it said."""
    done = subprocess.run(
        command, cwd=directory, capture_output=True, text=True, timeout=_DOWNLOAD_SECONDS, check=False
    )
    said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return None if done.returncode == 0 else said[-1]
