"""Observing: processor time and counters, read a few times a second while something runs, and the span that counts.

The start of a process is no part of a rate. A rate is taken over the span in which every subject had work: from the
first reading at which each has counted something, to the first at which one of them has counted all it ever will.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bench.stream.processor import busy_seconds, cpu_seconds


class Reading(NamedTuple):
    """at: seconds, monotonic, the same for all processes. The rest are totals so far, seconds of processor time: of the
    machine, the broker, this process, each subject. counted: by subject."""

    at: float
    machine: float
    broker: float
    own: float
    subjects: tuple[float, ...]
    counted: tuple[int, ...] = ()


class Load(NamedTuple):
    """Cores in use over a span. others: by nothing that belongs to the measurement; a high one makes a poor run."""

    broker: float
    others: float


class Span(NamedTuple):
    """begin, end: seconds, monotonic. events and processor seconds of the subjects within."""

    begin: float
    end: float
    events: int
    cpu_seconds: float


def read(broker: int, subjects: Sequence[int] = (), counted: Sequence[int] = ()) -> Reading:
    """A reading now. broker, subjects: process ids. Raises ProcessLookupError when one is gone, BenchError."""
    return Reading(
        at=time.monotonic(),
        machine=busy_seconds(),
        broker=cpu_seconds(broker),
        own=cpu_seconds(os.getpid()),
        subjects=tuple(map(cpu_seconds, subjects)),
        counted=tuple(counted),
    )


def busy_span(readings: Sequence[Reading]) -> Span | None:
    """The span in which all subjects had work; None when there is none.

    readings: to the end, so that the last one has what each subject counted in all.
    """
    counts = np.array([reading.counted for reading in readings])
    begun, done = (counts > 0).all(axis=1), (counts == counts[-1]).any(axis=1)
    if not begun.any():
        return None
    first, last = int(begun.argmax()), int(done.argmax())
    if last <= first:
        return None
    a, b = readings[first], readings[last]
    return Span(a.at, b.at, int((counts[last] - counts[first]).sum()), sum(b.subjects) - sum(a.subjects))


def load_between(readings: Sequence[Reading], begin: float, end: float, subjects: float) -> Load:
    """Who used the machine in that span. subjects: processor seconds of what is measured, in that span."""
    at = [reading.at for reading in readings]

    def spent(totals: list[float]) -> float:
        return float(np.interp(end, at, totals) - np.interp(begin, at, totals))

    broker, own = spent([r.broker for r in readings]), spent([r.own for r in readings])
    machine, seconds = spent([r.machine for r in readings]), end - begin
    return Load(broker / seconds, max(0.0, machine - broker - own - subjects) / seconds)
