"""Outage: Kafka is killed under load and comes back a minute later. Does a request fail, and when is all published?

The events wait in the outbox meanwhile, and then go out beside those of the load, which goes on.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec

from bench.api.ours import Ours
from bench.api.wrk import Load, Said
from bench.benchmark import Say
from bench.pinned import stand_back
from demo.stack.kafka import KafkaServer

RATE = 12_000.0
"""Requests/s, paced: the goal at 16 connections."""
_LOOK_SECONDS = 0.5


class Course(msgspec.Struct, frozen=True):
    """Seconds: of load before Kafka is killed, until it is started again, and of load after that."""

    before: float
    away: float
    after: float

    @property
    def seconds(self) -> float:
        """Of load in all; whole ones, as wrk takes them."""
        return float(round(self.before + self.away + self.after))


FULL, QUICK = Course(5, 60, 85), Course(2, 6, 12)


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """failed: requests with another answer than a prediction, or none. Milliseconds are of the whole run.
    most_pending_mb: of the outbox, 10^6 bytes. drained_seconds: from Kafka's readiness until nothing waited, while the
    load went on; null where it ended before. after_load_seconds: from the load's end until all was delivered."""

    away_seconds: float
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    failed: int
    most_pending_mb: float
    drained_seconds: float | None
    after_load_seconds: float


def measure(
    load: Load, ours: Ours, kafka: KafkaServer, course: Course, connections: int, think_ms: float, say: Say
) -> tuple[Outage, Said]:
    """Raises BenchError, and StackError where Kafka does not come back."""
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(load.run, ours.target, connections, course.seconds, think_ms=think_ms)
        time.sleep(course.before)
        kafka.kill()
        gone = time.monotonic()
        most = _watched(ours, gone + course.away)
        kafka.start()
        stand_back(kafka.pid)
        back, most = time.monotonic(), max(most, ours.pending())
        say(f"Kafka was away for {back - gone:.1f} s, {most / 1e6:,.0f} MB wait")
        drained = _drained_under(running, ours)
        said = running.result()
    took = ours.drained()
    return Outage(
        away_seconds=round(back - gone, 1),
        requests_per_second=round(said.rate, 1),
        p50_ms=said.p50,
        p99_ms=said.p99,
        max_ms=said.max,
        failed=said.errors,
        most_pending_mb=round(most / 1e6, 1),
        drained_seconds=None if drained is None else round(drained - back, 1),
        after_load_seconds=round(took, 1),
    ), said


def line(outage: Outage) -> str:
    """For people."""
    felt = (
        f"{outage.after_load_seconds:.0f} s after the load had ended"
        if outage.drained_seconds is None
        else f"{outage.drained_seconds:.0f} s after it was back, while the load went on"
    )
    return (
        f"Kafka killed for {outage.away_seconds:.0f} s under {outage.requests_per_second:,.0f} requests/s: "
        f"{outage.failed} failed; p50 {outage.p50_ms:.2f}, p99 {outage.p99_ms:.2f}, longest {outage.max_ms:.0f} ms; "
        f"{outage.most_pending_mb:,.0f} MB waited at most; all was published {felt}"
    )


def _watched(ours: Ours, until: float) -> float:
    """The most bytes that were pending."""
    most = 0.0
    while time.monotonic() < until:
        most = max(most, ours.pending())
        time.sleep(_LOOK_SECONDS)
    return most


def _drained_under(running: Future[Said], ours: Ours) -> float | None:
    """When less than a moment's events waited; None where the load ended before."""
    few = RATE * _LOOK_SECONDS * 1_000  # bytes: an event is some 800, and a slice of them is always under way
    while not running.done():
        if ours.pending() < few:
            return time.monotonic()
        time.sleep(_LOOK_SECONDS)
    return None
