"""Processor time from /proc: of a process, and of everything on the machine."""

from __future__ import annotations

import os
from pathlib import Path

from bench.benchmark import BenchError

_TICK = os.sysconf("SC_CLK_TCK")
_USER, _SYSTEM = 11, 12
"""Positions in /proc/PID/stat behind the command's closing parenthesis."""
_IDLE = (3, 4)
"""Positions of idle and waiting-for-disk in the line `cpu` of /proc/stat."""
_COUNTED_TWICE = 8
"""Time of guests is in user time already: of /proc/stat count only what is before."""


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, all its threads. Raises BenchError without Linux's /proc.

    Raises ProcessLookupError when the process is gone.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            raise ProcessLookupError(pid) from None
        raise BenchError("processor time is read from /proc: run this benchmark on Linux") from None
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICK


def busy_seconds() -> float:
    """Time that all cores together have worked so far, what a hypervisor took away included. Raises BenchError."""
    try:
        line = Path("/proc/stat").read_text().partition("\n")[0]
    except OSError:
        raise BenchError("the machine's load is read from /proc/stat: run this benchmark on Linux") from None
    return busy_of(line)


def busy_of(line: str) -> float:
    """Seconds of work in the line `cpu` of /proc/stat.

    >>> busy_of("cpu  100 0 50 1000 20 0 10 40 7 0") * _TICK
    200.0
    """
    times = [int(text) for text in line.split()[1:]][:_COUNTED_TWICE]
    return (sum(times) - sum(times[i] for i in _IDLE)) / _TICK
