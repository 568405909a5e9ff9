"""Supervisor: starts the workers, starts again what dies, passes the end on and waits for it.

It forks: what it has imported, the workers share. It answers no request and holds no lock, so its workers are all that
counts; when it dies itself they end in order, because a port must not be held by processes that nobody looks after.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from typing import NamedTuple

from api.workers.board import Board, Worker
from api.workers.restarts import Deaths

log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_FORK = multiprocessing.get_context("fork")

Work = Callable[[Worker, Callable[[], None]], None]
"""What a worker does until SIGTERM. It calls the second argument once it has all that it needs to serve."""


class _Running(NamedTuple):
    process: ForkProcess
    notices: Connection
    since: float


class Supervisor:
    """work: see Work. stop_seconds: for the orderly end; whoever is not gone then is killed."""

    def __init__(self, count: int, work: Work, *, stop_seconds: float) -> None:
        self._board = Board(count)
        self._work = work
        self._stop_seconds = stop_seconds
        self._running: dict[int, _Running] = {}
        self._deaths = dict.fromkeys(range(count), Deaths())
        self._due = dict.fromkeys(range(count), 0.0)
        self._told: int | None = None
        self._lifeline, self._held = os.pipe()
        self._wake, self._woken = os.pipe()

    def run(self, started: Callable[[], None]) -> int:
        """Until SIGTERM or SIGINT; the exit status. started: called once, when the first worker can serve.

        When the first one cannot even start, nothing is started again: it has said why, and its status is returned.
        """
        os.set_blocking(self._woken, False)
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, self._tell)
        status = self._first(started)
        while status is None and self._told is None:
            self._start_due()
            self._wait(min([self._due[n] for n in self._due if n not in self._running], default=None))
            self._bury()
        return self._end(status)

    def _first(self, started: Callable[[], None]) -> int | None:
        """Start one and wait until it can serve: a setting that stops one stops all, and is said once."""
        self._start(0)
        first = self._running[0]
        while self._told is None and not _noticed(first):
            if first.process.exitcode is not None:
                del self._running[0]
                return first.process.exitcode or 1
            self._wait(None)
        if self._told is None:
            started()
        return None

    def _tell(self, number: int, _: object) -> None:
        self._told = number

    def _start_due(self) -> None:
        now = time.monotonic()
        for number, due in self._due.items():
            if number not in self._running and due <= now:
                self._start(number)

    def _start(self, number: int) -> None:
        ours, theirs = _FORK.Pipe(duplex=False)
        process = _FORK.Process(target=self._child, args=(number, theirs), name=f"worker-{number:02d}")
        # until the child has handlers of its own, a signal would be lost on those that it inherits
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        self._running[number] = _Running(process, ours, time.monotonic())
        log.info("worker %02d: started, process %d", number, process.pid)

    def _child(self, number: int, notices: Connection) -> None:
        signal.set_wakeup_fd(-1)
        for caught in _SIGNALS:
            signal.signal(caught, lambda *_: sys.exit(0))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.close(self._held)
        threading.Thread(target=_end_with, args=(self._lifeline,), daemon=True).start()
        self._work(Worker(number, self._board), lambda: notices.send_bytes(b"ready"))

    def _wait(self, until: float | None) -> None:
        """For a death, a notice or a signal."""
        timeout = None if until is None else max(0.0, until - time.monotonic())
        awaited: list[int | Connection] = [running.process.sentinel for running in self._running.values()]
        awaited += [running.notices for running in self._running.values() if not running.notices.closed]
        if self._wake in wait([*awaited, self._wake], timeout):
            os.read(self._wake, 4096)
        for running in self._running.values():
            _noticed(running)

    def _bury(self) -> None:
        now = time.monotonic()
        for number, running in list(self._running.items()):
            if running.process.exitcode is None:
                continue
            del self._running[number]
            running.notices.close()
            self._board.clear(number)
            self._deaths[number] = deaths = self._deaths[number].after(now - running.since)
            self._due[number] = now + deaths.pause_seconds
            log.error(
                "worker %02d: process %d ended with status %d; the next one starts in %g s",
                number,
                running.process.pid,
                running.process.exitcode,
                deaths.pause_seconds,
            )

    def _end(self, status: int | None) -> int:
        """Pass the end on, and wait for it."""
        for running in self._running.values():
            running.process.terminate()
        until = time.monotonic() + self._stop_seconds
        for number, running in self._running.items():
            running.process.join(max(0.0, until - time.monotonic()))
            if running.process.exitcode is None:
                log.error("worker %02d: did not end within %g s and is killed", number, self._stop_seconds)
                running.process.kill()
                running.process.join()
            status = status or (1 if running.process.exitcode else None)
        if status is not None:
            return status
        return 130 if self._told == signal.SIGINT else 0


def _noticed(running: _Running) -> bool:
    """Whether it has said that it can serve; then the pipe is closed."""
    if not running.notices.closed:
        with suppress(EOFError):  # it died: its exit status says more
            if not running.notices.poll():
                return False
            running.notices.recv_bytes()
            running.notices.close()
    return running.notices.closed


def _end_with(lifeline: int) -> None:
    """End this process in order when the supervisor is gone: nobody else holds the other end of the pipe."""
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)
