"""What Kafka and Redis have in common here: a directory, a port that stays, a start that waits until it answers.

One object is one server. stop() and kill() leave its data, and start() brings it back on the same port. Methods
block: from asyncio call them with asyncio.to_thread.
"""

import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from demo.stack.directory import DataDirectory, check_space
from demo.stack.errors import DirectoryUnusable, NotRunning, PortTaken, ServerEnded, StackError, StartTimeout
from demo.stack.ports import choose_port, is_free
from demo.stack.processes import ServiceProcess

START_SECONDS = 120.0
"""Until a server that answers nothing is given up; it takes 2 to 4, short of processor time more than 30."""
_NEED_BYTES = 200_000_000
_PATIENCE_SECONDS = 3.0  # for the server of a stack that was killed a moment ago
_PORT_TRIES = 3
_POLL_SECONDS = 0.05


class Server(ABC):
    """Subclasses say how to prepare the directory, which command to run, and when it is ready."""

    name: ClassVar[str]
    stop_seconds: ClassVar[float]

    def __init__(self, directory: Path, port: int | None = None) -> None:
        if port is not None and not 0 < port < 65536:
            raise StackError(f"port {port} of {self.name}: a port is a number from 1 to 65535")
        self._directory = DataDirectory(directory)
        self._port_is_given = port is not None
        self._port = port
        self._process: ServiceProcess | None = None
        self._change = threading.RLock()

    @abstractmethod
    def _prepare(self, directory: Path, port: int) -> None:
        """Writes what the command reads. Called before every start."""

    @abstractmethod
    def _command(self, port: int) -> Sequence[str]:
        """Runs with the server's directory as its working directory."""

    @abstractmethod
    def _ready(self, port: int) -> bool: ...

    @property
    def directory(self) -> Path:
        return self._directory.path

    @property
    def log(self) -> Path:
        return self.directory / f"{self.name}.log"

    @property
    def port(self) -> int:
        """Raises NotRunning before the first start when no port was given."""
        if self._port is None:
            raise NotRunning(self.name)
        return self._port

    @property
    def pid(self) -> int:
        return self._running().pid

    def alive(self) -> bool:
        return self._process is not None and self._process.alive()

    def start(self, timeout: float = START_SECONDS) -> None:
        """Returns when the server answers; does nothing while it runs. After a StackError nothing is left running.

        `timeout` (s) is for the start alone; a download of the server's files before it is not counted.
        """
        with self._change:
            if self.alive():
                return
            self._directory.claim(_PATIENCE_SECONDS)
            try:
                check_space(self.directory, _NEED_BYTES)
                self._start_on_some_port(timeout)
            except OSError as error:
                self.kill()
                raise DirectoryUnusable(self.directory, str(error), "make room, or choose another one") from error
            except BaseException:
                self.kill()
                raise

    def stop(self) -> None:
        """SIGTERM, and SIGKILL after `stop_seconds`. Data and port stay. Does nothing when it does not run."""
        with self._change:
            if self._process is not None:
                self._process.terminate(self.stop_seconds)
            self._directory.release()

    def kill(self) -> None:
        """SIGKILL, as a crash. Data and port stay."""
        with self._change:
            if self._process is not None:
                self._process.kill()
            self._directory.release()

    def pause(self) -> None:
        """SIGSTOP until resume(): connections stay open, nothing is answered."""
        self._running().pause()

    def resume(self) -> None:
        self._running().resume()

    def tail(self, n: int = 20) -> list[str]:
        """The last n lines of the server's log."""
        return [] if self._process is None else self._process.tail(n)

    def _running(self) -> ServiceProcess:
        if self._process is None:
            raise NotRunning(self.name)
        return self._process

    def _start_on_some_port(self, timeout: float) -> None:
        for attempt in range(_PORT_TRIES):
            # Once clients may know the port it must not change any more; before, another one does as well.
            fixed = self._port_is_given or self._port is not None
            port = self._port if self._port is not None else self._preferred_port()
            try:
                self._start_on(port, timeout)
            except PortTaken:
                if fixed or attempt == _PORT_TRIES - 1:
                    raise
                continue
            self._port = port
            self._directory.save_port(port)
            return

    def _preferred_port(self) -> int:
        saved = self._directory.saved_port()
        return saved if saved is not None and is_free(saved) else choose_port(random.SystemRandom())

    def _child(self, name: str, command: Sequence[str]) -> ServiceProcess:
        """A process in the server's directory; it holds the directory's claim for as long as it lives."""
        return ServiceProcess(name, command, self.log, cwd=self.directory, keep=[self._directory.claim()])

    def _start_on(self, port: int, timeout: float) -> None:
        if not is_free(port):
            raise PortTaken(port, self.name)
        self._prepare(self.directory, port)
        self._process = process = self._child(self.name, self._command(port))
        process.start()
        deadline = time.monotonic() + timeout
        while not (self._ready(port) and process.alive()):
            if not process.alive():
                if not is_free(port):
                    raise PortTaken(port, self.name)
                raise ServerEnded(self.name, process.returncode, self.directory, self.log, process.tail())
            if time.monotonic() > deadline:
                process.kill()
                raise StartTimeout(self.name, timeout, self.log, process.tail())
            time.sleep(_POLL_SECONDS)
