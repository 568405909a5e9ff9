"""Start a command as a child whose life is bound to this process, and say at once if it cannot run (see child.py)."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from demo.stack.errors import StartFailed
from demo.stack.spawner import the_spawner

_LAUNCHER = Path(__file__).with_name("child.py")

Guard = Literal["prctl", "pipe"]
DEFAULT_GUARD: Guard = "prctl" if sys.platform == "linux" else "pipe"


class Launched:
    """A started child, and the leash that holds it where the kernel does not: it dies when this end is closed."""

    def __init__(self, popen: subprocess.Popen[bytes], leash: int | None) -> None:
        self.popen = popen
        self._leash = leash

    def release(self) -> None:
        if self._leash is not None:
            os.close(self._leash)
            self._leash = None


def launch(
    name: str,
    command: Sequence[str],
    log: Path,
    *,
    env: Mapping[str, str],
    cwd: Path | None,
    keep: Sequence[int],
    guard: Guard,
) -> Launched:
    """Returns once the command itself runs (not only its launcher). Raises StartFailed with the system's reason."""
    report, report_end = os.pipe()
    leash_end, leash = os.pipe() if guard == "pipe" else (None, None)
    how = "prctl" if leash_end is None else f"pipe:{leash_end}"
    head = [sys.executable, "-I", "-S", str(_LAUNCHER), how, str(os.getpid()), str(report_end)]

    def create() -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                [*head, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                pass_fds=[fd for fd in (report_end, leash_end, *keep) if fd is not None],
                start_new_session=True,
            )

    with os.fdopen(report, "rb") as pipe:
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            launched = Launched(the_spawner().spawn(create), leash)
        except OSError as error:
            if leash is not None:
                os.close(leash)
            raise StartFailed(f"cannot start {name}: {error}") from error
        finally:
            os.close(report_end)
            if leash_end is not None:
                os.close(leash_end)
        problem = pipe.read().decode()
    if problem:
        launched.popen.wait()
        launched.release()
        raise StartFailed(f"cannot start {name}: {command[0]}: {problem}")
    return launched
