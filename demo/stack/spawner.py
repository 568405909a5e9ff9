"""One thread that creates every child process and never ends.

PR_SET_PDEATHSIG fires when the thread that created the child ends, not only when the process does. A start() that is
called with asyncio.to_thread or from a short-lived thread would lose its server the moment that thread is gone. So
all children are created by one daemon thread, which ends with the process and not before (a daemon: the interpreter
does not wait for it at exit).
"""

import os
import queue
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import Future

Popen = subprocess.Popen[bytes]


class Spawner:
    """Runs `create` functions one after the other in its own thread and hands back what they return or raise."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Future[Popen], Callable[[], Popen]]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="tidemark-spawner", daemon=True).start()

    def spawn(self, create: Callable[[], Popen]) -> Popen:
        ticket: Future[Popen] = Future()
        self._jobs.put((ticket, create))
        return ticket.result()

    def _run(self) -> None:
        while True:
            ticket, create = self._jobs.get()
            try:
                ticket.set_result(create())
            except BaseException as error:  # it belongs to whoever waits for the ticket, this thread has to live on
                ticket.set_exception(error)


_spawners: dict[int, Spawner] = {}
_lock = threading.Lock()


def the_spawner() -> Spawner:
    """The one of this process. Kept by pid: after a fork the thread is gone in the copy, which needs its own."""
    with _lock:
        pid = os.getpid()
        if pid not in _spawners:
            _spawners.clear()
            _spawners[pid] = Spawner()
        return _spawners[pid]
