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
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from demo.stack.errors import NotRunning
from demo.stack.launch import DEFAULT_GUARD, Guard, Launched, launch

_log = logging.getLogger(__name__)
_TAIL_BYTES = 64 * 1024


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
        self._launched: Launched | None = None
        self._swept = True
        self._change = threading.RLock()

    def start(self) -> None:
        """Returns when the command runs; raises StartFailed if it cannot be run. Does nothing while it is alive."""
        with self._change:
            if self.alive():
                return
            environment = {**os.environ, **self._env}
            self._launched = launch(
                self.name, self.command, self.log, env=environment, cwd=self._cwd, keep=self._keep, guard=self._guard
            )
            self._swept = False

    @property
    def _popen(self) -> subprocess.Popen[bytes] | None:
        return None if self._launched is None else self._launched.popen

    @property
    def pid(self) -> int:
        """Process id of the running command. Raises NotRunning."""
        return self._running().pid

    @property
    def returncode(self) -> int | None:
        """Exit status of the last run (-9 = SIGKILL), None while it runs or before the first start."""
        launched = self._launched
        if launched is None:
            return None
        if launched.popen.poll() is not None:
            self._sweep(launched)
        return launched.popen.returncode

    def alive(self) -> bool:
        return self._popen is not None and self.returncode is None

    def wait(self, timeout: float | None = None) -> int:
        """Exit status, once it has ended. Raises subprocess.TimeoutExpired, or NotRunning if never started."""
        launched = self._launched
        if launched is None:
            raise NotRunning(self.name)
        status = launched.popen.wait(timeout)
        self._sweep(launched)
        return status

    def terminate(self, timeout: float = 10.0) -> int | None:
        """SIGTERM; if it has not ended after `timeout` s a note in both logs, and SIGKILL. Returns the status."""
        if self._popen is None:
            return None
        self._popen.send_signal(signal.SIGTERM)
        self._popen.send_signal(signal.SIGCONT)  # a paused process would never see the first signal
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            note = f"{self.name} (process {self._popen.pid}) did not end within {timeout:g} s of SIGTERM: SIGKILL"
            _log.warning(note)
            with self.log.open("a") as log:
                log.write(note + "\n")
            return self.kill()

    def kill(self) -> int | None:
        """SIGKILL to the process and its group; returns the exit status once it is gone, None if never started."""
        if self._popen is None:
            return None
        if self._popen.poll() is None:
            self._kill_group()
        return self.wait()

    def pause(self) -> None:
        """SIGSTOP: it keeps its sockets and does nothing, as in a long garbage collection."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    def tail(self, n: int = 20) -> list[str]:
        """The last n lines of the log file."""
        if not self.log.exists():
            return []
        with self.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - _TAIL_BYTES))
            return log.read().decode(errors="replace").splitlines()[-n:]

    def _running(self) -> subprocess.Popen[bytes]:
        if self._popen is None or not self.alive():
            raise NotRunning(self.name)
        return self._popen

    def _sweep(self, launched: Launched) -> None:
        """Once, as soon as the end of the process is noticed: ends what it left behind in its group.

        Later would be wrong: when the group is empty the system may give its number to somebody else's processes. So
        would another process be: by the time that the lock is free a second thread may have started the next one.
        """
        with self._change:
            if launched is self._launched and not self._swept:
                self._swept = True
                self._kill_group()
                self._launched.release()

    def _kill_group(self) -> None:
        if self._popen is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
                os.killpg(self._popen.pid, signal.SIGKILL)
