"""What can go wrong with the local stack. Each message says what happened, where, and what to do.

StackError
├── PortTaken            somebody else listens on the port
├── DirectoryInUse       another stack runs in the same data directory
├── DirectoryUnusable    the data or cache directory cannot be created or written
├── DiskFull             too little space for the data or for the download
├── RuntimeMissing       the Java runtime or the redis-server binary is not installed for this platform
├── LockFileInvalid      demo/stack/kafka-jars.lock cannot be read
├── DownloadFailed       the Kafka jars could not be fetched
├── ChecksumMismatch     a fetched jar is not the one of the lock file
├── StartFailed          the process could not be started
│   ├── ServerEnded      it started and ended at once; the last lines of its log are in the message
│   └── StartTimeout     it runs and does not answer
└── NotRunning           asked for the pid of, or sent a signal to, a process that does not run
"""

from collections.abc import Sequence
from pathlib import Path


class StackError(Exception):
    """Anything that keeps the local stack from running; the text is fit for the terminal."""


class PortTaken(StackError):
    def __init__(self, port: int, what: str) -> None:
        super().__init__(
            f"port {port} of 127.0.0.1 is taken, so {what} cannot listen there: "
            "end the process that holds it, or give another port (or none: a free one is chosen)"
        )
        self.port = port


class DirectoryInUse(StackError):
    def __init__(self, directory: Path, holder: str) -> None:
        super().__init__(
            f"another stack{f' (process {holder})' if holder else ''} runs in {directory}: "
            "stop it, or choose another data directory"
        )


class DirectoryUnusable(StackError):
    def __init__(self, directory: Path, why: str, fix: str) -> None:
        super().__init__(f"cannot use the directory {directory} ({why}): {fix}")


class DiskFull(StackError):
    def __init__(self, directory: Path, free: int, need: int) -> None:
        super().__init__(
            f"only {free // 1_000_000} MB are free at {directory}, {need // 1_000_000} MB are needed: "
            "free some space, or choose a directory on another disk"
        )


class RuntimeMissing(StackError):
    def __init__(self, what: str, package: str) -> None:
        super().__init__(
            f"{what} is not there: install the Python package {package} (it is in requirements/all.txt; "
            "it has wheels for Linux with glibc and for macOS)"
        )


class LockFileInvalid(StackError):
    def __init__(self, line: int, why: str) -> None:
        super().__init__(
            f"kafka-jars.lock, line {line}: {why}; restore the file, or write it anew: python -m demo.stack.relock"
        )


class DownloadFailed(StackError):
    def __init__(self, coordinate: str, why: str) -> None:
        super().__init__(
            f"the Kafka jar {coordinate} could not be downloaded ({why}): check the network; behind a proxy "
            "set HTTPS_PROXY (and REQUESTS_CA_BUNDLE if it has its own certificate); "
            "a mirror goes into the [repositories] of ~/.config/jgo.conf"
        )


class ChecksumMismatch(StackError):
    def __init__(self, coordinate: str, expected: str, got: str) -> None:
        super().__init__(
            f"the downloaded Kafka jar {coordinate} has the SHA-256 {got}, kafka-jars.lock says {expected}: "
            "it was not kept. A proxy or mirror delivers something else; try another network or mirror"
        )


class StartFailed(StackError):
    """A process could not be started."""


def _with_log(text: str, log: Path, tail: Sequence[str]) -> str:
    lines = "".join(f"\n    {line}" for line in tail) or "\n    (nothing)"
    return f"{text}. The last lines of {log}:{lines}"


class ServerEnded(StartFailed):
    def __init__(self, name: str, status: int | None, directory: Path, log: Path, tail: Sequence[str]) -> None:
        text = (
            f"{name} ended at once with status {status} (if its data is damaged, delete {directory}: it starts empty)"
        )
        super().__init__(_with_log(text, log, tail))


class StartTimeout(StartFailed):
    def __init__(self, name: str, timeout: float, log: Path, tail: Sequence[str]) -> None:
        text = f"{name} did not answer within {timeout:g} s and was ended (a busy machine? give it more time)"
        super().__init__(_with_log(text, log, tail))


class NotRunning(StackError):
    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not running: start() it first")
