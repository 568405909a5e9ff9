"""A child process that writes to a log file and does not outlive its parent.

Servers of the stack, the API, workers and sinks all run in one of these. The child gets its own session, so that
Ctrl-C in the terminal reaches only the parent, which then stops things in order; a forced end takes the whole group
of processes with it.
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from demo.stack.errors import NotRunning, StartFailed
from demo.stack.spawner import the_spawner

_log = logging.getLogger(__name__)
_LAUNCHER = Path(__file__).with_name("child.py")
_TAIL_BYTES = 64 * 1024

Guard = Literal["prctl", "pipe"]
DEFAULT_GUARD: Guard = "prctl" if sys.platform == "linux" else "pipe"


class ServiceProcess:
    """Any command as a child; any thread may call its methods; start() after its end starts a new process.

    `env` is added to this process's environment. `log` is appended to. `keep` are file descriptors that the child
    inherits.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        keep: Sequence[int] = (),
        guard: Guard = DEFAULT_GUARD,
    ) -> None:
        self.name = name
        self.command = tuple(command)
        self.log = log
        self._env = dict(env or {})
        self._cwd = cwd
        self._keep = tuple(keep)
        self._guard = guard
        self._popen: subprocess.Popen[bytes] | None = None
        self._leash: int | None = None
        self._change = threading.RLock()

    def start(self) -> None:
        """Returns when the command runs; raises StartFailed if it cannot be run. Does nothing while it is alive."""
        with self._change:
            if self.alive():
                return
            self._release_leash()
            self.log.parent.mkdir(parents=True, exist_ok=True)
            report, report_end = os.pipe()
            guard, leash_end = "prctl", -1
            if self._guard == "pipe":
                leash_end, self._leash = os.pipe()
                guard = f"pipe:{leash_end}"
            launcher = [
                sys.executable,
                "-I",
                "-S",
                str(_LAUNCHER),
                guard,
                str(os.getpid()),
                str(report_end),
                *self.command,
            ]
            pass_fds = [fd for fd in (report_end, leash_end, *self._keep) if fd >= 0]
            try:
                with self.log.open("ab") as log:
                    popen = the_spawner().spawn(
                        lambda: subprocess.Popen(
                            launcher,
                            stdin=subprocess.DEVNULL,
                            stdout=log,
                            stderr=subprocess.STDOUT,
                            env={**os.environ, **self._env},
                            cwd=self._cwd,
                            pass_fds=pass_fds,
                            start_new_session=True,
                        )
                    )
            except OSError as error:
                os.close(report)
                self._release_leash()
                raise StartFailed(f"cannot start {self.name}: {error}") from error
            finally:
                os.close(report_end)
                if leash_end >= 0:
                    os.close(leash_end)
            with os.fdopen(report, "rb") as pipe:
                problem = pipe.read().decode()
            if problem:
                popen.wait()
                self._release_leash()
                raise StartFailed(f"cannot start {self.name}: {self.command[0]}: {problem}")
            self._popen = popen

    @property
    def pid(self) -> int:
        """Process id of the running command. Raises NotRunning."""
        return self._running().pid

    @property
    def returncode(self) -> int | None:
        """Exit status of the last run (-9 = SIGKILL), None while it runs or before the first start."""
        return None if self._popen is None else self._popen.poll()

    def alive(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def wait(self, timeout: float | None = None) -> int:
        """Exit status, once it has ended. Raises subprocess.TimeoutExpired, or NotRunning if never started."""
        if self._popen is None:
            raise NotRunning(self.name)
        return self._popen.wait(timeout)

    def terminate(self, timeout: float = 10.0) -> int | None:
        """SIGTERM; if it has not ended after `timeout` s a note in both logs, and SIGKILL. Returns the status."""
        if self.alive():
            self._signal(signal.SIGTERM)
            self._signal(signal.SIGCONT)  # a paused process would never see the first signal
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                note = f"{self.name} (process {self.pid}) did not end within {timeout:g} s of SIGTERM: SIGKILL"
                _log.warning(note)
                with self.log.open("a") as log:
                    log.write(note + "\n")
        return self.kill()

    def kill(self) -> int | None:
        """SIGKILL to the process and its group; returns the exit status once it is gone, None if never started."""
        if self._popen is None:
            return None
        # Also when the process itself has ended: its own children may be left. The group's number cannot have been
        # given to somebody else while a member lives, and when none lives there is nobody to signal.
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
            os.killpg(self._popen.pid, signal.SIGKILL)
        status = self._popen.wait()
        self._release_leash()
        return status

    def pause(self) -> None:
        """SIGSTOP: it keeps its sockets and does nothing, as in a long garbage collection."""
        self._signal_running(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal_running(signal.SIGCONT)

    def tail(self, n: int = 20) -> list[str]:
        """The last n lines of the log file."""
        if not self.log.exists():
            return []
        with self.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - _TAIL_BYTES))
            return log.read().decode(errors="replace").splitlines()[-n:]

    def _running(self) -> subprocess.Popen[bytes]:
        if self._popen is None or self._popen.poll() is not None:
            raise NotRunning(self.name)
        return self._popen

    def _signal(self, number: signal.Signals) -> None:
        if self._popen is not None:
            self._popen.send_signal(number)

    def _signal_running(self, number: signal.Signals) -> None:
        self._running().send_signal(number)

    def _release_leash(self) -> None:
        if self._leash is not None:
            os.close(self._leash)
            self._leash = None
