"""PURE: what is measured. All times are seconds since the epoch, by the one clock of the machine.

counted    an event's moment -> a reader sees a changelog record that says that its offset is counted: by then it is
           counted, stored and acknowledged. So reading, decoding, counting, the write and that reader are in it.
passed     the moment of the event by which the last partition's watermark passes a window's end: event time beyond the
           end and the allowed lateness.
partials, report, alert: passed -> a reader sees the last final partial, the report, the alert on its topic.
webhook    passed -> the receiver has verified the alert's request.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from bench.latency.load import Sent

Floats = npt.NDArray[np.float64]


class Delay(msgspec.Struct, frozen=True):
    """In milliseconds; number: how many were measured."""

    number: int
    p50: float
    p99: float
    max: float


def delay_of(seconds: Sequence[float] | Floats) -> Delay:
    """Quantiles by the nearest rank: each is a delay that occurred. Raises ValueError for none.

    >>> delay_of([0.001 * i for i in range(1, 201)])
    Delay(number=200, p50=100.0, p99=198.0, max=200.0)
    """
    found = np.sort(np.asarray(seconds, dtype=np.float64)) * 1000
    if not len(found):
        raise ValueError("no delays")

    def rank(share: float) -> float:
        return round(float(found[math.ceil(share * len(found)) - 1]), 1)

    return Delay(len(found), rank(0.5), rank(0.99), rank(1.0))


def counted(sent: Sent, stored: Mapping[int, Sequence[tuple[int, float]]], begin: float, end: float) -> Floats:
    """Delays until counted of the events with moments from begin to end, seconds.

    stored: by partition, (last counted offset, seen at), in order. Raises ValueError when an event never was.
    """
    delays = []
    for partition, records in stored.items():
        mine = (sent.partition == partition) & (sent.moment >= begin) & (sent.moment < end)
        offsets, seen = (np.array(column) for column in zip(*records, strict=True))
        at = np.searchsorted(np.maximum.accumulate(offsets), sent.offset[mine], side="left")
        if len(at) and at.max() >= len(seen):
            raise ValueError(f"partition {partition}: {int((at >= len(seen)).sum())} events never counted")
        delays.append(seen[at] - sent.moment[mine])
    if sum(map(len, delays)) != int(((sent.moment >= begin) & (sent.moment < end)).sum()):
        raise ValueError("partitions without any counted event")
    return np.concatenate(delays)


def passed(sent: Sent, window_ends: Iterable[int], lateness_ms: int) -> dict[int, float]:
    """When the last partition's watermark passed each window's end (milliseconds UTC), seconds.

    Left out: ends that some partition never passed.
    """
    partitions = [np.sort(sent.moment[sent.partition == number]) for number in np.unique(sent.partition)]
    found = {}
    for end in window_ends:
        # event times are whole milliseconds, cut: an event is beyond as soon as its moment is
        firsts = [np.searchsorted(moments, (end + lateness_ms) / 1000, side="left") for moments in partitions]
        if all(first < len(moments) for first, moments in zip(firsts, partitions, strict=True)):
            found[end] = max(float(moments[first]) for first, moments in zip(firsts, partitions, strict=True))
    return found


def since_passed(passed_at: Mapping[int, float], seen: Iterable[tuple[int, float]]) -> list[float]:
    """Delays of what was seen for windows (end in milliseconds UTC, seconds), where the window is one of those."""
    return [at - passed_at[end] for end, at in seen if end in passed_at]
