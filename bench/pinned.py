"""Pinned: the server has one core to itself, everything else of the measurement the others.

As a module, `python -m bench.pinned CORES COMMAND...`, it binds itself to cores and becomes the command.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from bench.benchmark import BenchError

_NICE = 5
"""A third of the share of the load tool; with a tenth, Kafka hardly answers on a machine that does other work, too."""


class Cores(NamedTuple):
    """server: the core that is measured. load: those of the load tool, Kafka, Redis and this program."""

    server: int
    load: frozenset[int]


def cores() -> Cores:
    """Out of those that this process may use. Raises BenchError where there are not two, or they cannot be chosen."""
    if not hasattr(os, "sched_setaffinity"):
        raise BenchError("processes are pinned to cores with sched_setaffinity: run this benchmark on Linux")
    return split(os.sched_getaffinity(0))


def split(usable: Collection[int]) -> Cores:
    """The server gets the last one: the first has most of the interrupts.

    >>> split({0, 1, 2})
    Cores(server=2, load=frozenset({0, 1}))
    """
    if len(usable) < 2:
        raise BenchError("one core is for the server and one for the load: two are needed, this process may use one")
    server = max(usable)
    return Cores(server, frozenset(usable) - {server})


def command(core: int, words: Sequence[str]) -> list[str]:
    """The command, bound to a core."""
    return [sys.executable, "-m", "bench.pinned", str(core), *words]


@contextmanager
def kept_to(chosen: Collection[int]) -> Iterator[None]:
    """Every thread of this process keeps to these cores, and so do the processes that it starts meanwhile."""
    before = os.sched_getaffinity(0)
    _move(chosen)
    try:
        yield
    finally:
        _move(before)


def stand_back(pid: int) -> None:
    """Let the load tool go first where it shares a core with this process, which leads a session.

    Otherwise the tool waits for them with an answer in hand, and takes that for the server's time. Where the kernel
    shares a core out by sessions (autogroup), the niceness of a session counts, elsewhere that of each thread.
    """
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.setpriority(os.PRIO_PROCESS, int(thread), max(_NICE, os.getpriority(os.PRIO_PROCESS, int(thread))))
    with suppress(FileNotFoundError):  # a kernel without it
        Path(f"/proc/{pid}/autogroup").write_text(str(_NICE))


def go_ahead(pid: int) -> None:
    """Let every thread of a process go before all ordinary ones on its cores, at once.

    Niceness shares a core out; this does not: an answer that comes while Kafka has the core is read in microseconds and
    not in milliseconds. Only root may, or who has CAP_SYS_NICE or an RLIMIT_RTPRIO above 0: for others nothing changes.
    """
    for thread in _threads(pid):
        with suppress(ProcessLookupError, PermissionError):
            os.sched_setscheduler(int(thread), os.SCHED_RR, os.sched_param(1))


def _threads(pid: int) -> list[str]:
    """None when it has just ended."""
    try:
        return os.listdir(f"/proc/{pid}/task")
    except FileNotFoundError:
        return []


def _move(chosen: Collection[int]) -> None:
    for thread in os.listdir("/proc/self/task"):
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.sched_setaffinity(int(thread), chosen)


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[1])})
    os.execvp(sys.argv[2], sys.argv[2:])
