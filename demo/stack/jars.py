"""The Kafka jars: those of kafka-jars.lock, fetched once per user from Maven Central by jgo, checked at every start.

The lock file has the whole list, so nothing is resolved here: every jar is fetched by its coordinate, several at a
time, and the programs of Maven and Java are not needed. A jar enters the cache by a rename and only with the right
SHA-256, so an interrupted download or a second process never leaves half a file behind.
"""

import fcntl
import hashlib
import os
import shutil
import time
from functools import partial
from pathlib import Path

from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext

from demo.stack import jarlock
from demo.stack.directory import check_space, make_directory
from demo.stack.errors import ChecksumMismatch, DirectoryUnusable, DownloadFailed
from demo.stack.jarlock import Jar
from demo.stack.side_by_side import run_side_by_side

LOCK_FILE = Path(__file__).with_name("kafka-jars.lock")
DOWNLOAD_BYTES = 100_000_000  # 43 MB of jars, twice while they are renamed, and some air
_AT_A_TIME = 8
_TRIES = 3


def cache_directory() -> Path:
    """Per user, not per clone: the second clone finds the jars. XDG_CACHE_HOME moves it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tidemark" / "jars"


def locked_jars() -> tuple[Jar, ...]:
    return jarlock.parse(LOCK_FILE.read_text())


def fetch(jars: tuple[Jar, ...], cache: Path, *, retry_seconds: float = 0.5) -> list[Path]:
    """The verified files in the order of `jars`; what is missing or damaged in `cache` is downloaded.

    A jar is tried three times; `retry_seconds` is the pause after the first failure, doubled after the second.
    Raises DownloadFailed, ChecksumMismatch, DiskFull, DirectoryUnusable.
    """
    make_directory(cache)
    files = [cache / jar.path for jar in jars]
    wrong = [jar for jar, file in zip(jars, files, strict=True) if sha256(file) != jar.sha256]
    if wrong:
        check_space(cache, DOWNLOAD_BYTES)
        try:
            with (cache / ".claim").open("a") as claim:
                fcntl.flock(
                    claim, fcntl.LOCK_EX
                )  # two first starts side by side: one downloads, the other waits and finds
                _download([jar for jar in wrong if sha256(cache / jar.path) != jar.sha256], cache, retry_seconds)
        except OSError as error:
            raise DirectoryUnusable(
                cache, error.strerror or str(error), "free space there, or set XDG_CACHE_HOME"
            ) from error
    return files


def sha256(file: Path) -> str | None:
    """Hex digest of a file, None if it does not exist."""
    if not file.is_file():
        return None
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _download(jars: list[Jar], cache: Path, retry_seconds: float) -> None:
    """Under the cache's lock, so whatever lies in `incoming` was left by a download that was killed."""
    incoming = cache / ".incoming"
    shutil.rmtree(incoming, ignore_errors=True)
    remotes = repositories()
    try:
        run_side_by_side(
            [partial(_download_one, jar, cache, incoming, remotes, retry_seconds) for jar in jars], _AT_A_TIME
        )
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def _download_one(jar: Jar, cache: Path, incoming: Path, remotes: dict[str, str], retry_seconds: float) -> None:
    for attempt in range(_TRIES):
        scratch = incoming / f"{jar.filename}.{attempt}"
        context = MavenContext(repo_cache=scratch, remote_repos=remotes)
        try:
            file = context.project(jar.group, jar.name).at_version(jar.version).artifact().resolve()
            break
        except (RuntimeError, OSError) as error:  # RuntimeError is jgo's: no repository answered 200
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk; requests' errors have no number, nor has its bare OSError about a missing CA bundle
            if attempt == _TRIES - 1:
                raise DownloadFailed(jar.coordinate, _first_cause(error)) from error
            shutil.rmtree(scratch, ignore_errors=True)
            time.sleep(retry_seconds * 2**attempt)
    got = sha256(file)
    if got != jar.sha256:
        raise ChecksumMismatch(jar.coordinate, jar.sha256, str(got))
    target = cache / jar.path
    target.parent.mkdir(parents=True, exist_ok=True)
    file.replace(target)


def repositories() -> dict[str, str]:
    """Mirrors of the user's jgo settings come before Maven Central; one that is named `central` replaces it."""
    mirrors = GlobalSettings.load().repositories
    return {**mirrors, "central": mirrors.get("central", MAVEN_CENTRAL_URL)}


def _first_cause(error: BaseException) -> str:
    while error.__context__ is not None:
        error = error.__context__
    return f"{type(error).__name__}: {error}"
