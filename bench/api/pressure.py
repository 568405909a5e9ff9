"""Pressure: single predictions while batches or explanations are answered too, and more connections than can be served.

Explanations and batches are promised not to slow single predictions; beyond its limit the server is to turn requests
away at once, so that those it takes are answered in time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from bench.api.wrk import Load, Said, Target
from bench.benchmark import BenchError

SINGLES, RATE = 16, 1_000.0
"""Connections and requests/s of the single predictions."""
OTHERS = {"batches": 1, "explanations": 2}
"""Connections of what is answered beside them, without a pause."""
OVERLOAD = 2_048
"""Connections, each with a request under way: twice API_MAX_WAITING."""
_LEAD_SECONDS = 0.3

Count = Callable[[str, Said, int], None]
"""Told of each run: of what, what was said, on how many connections."""


class Single(msgspec.Struct, frozen=True):
    """Single requests, paced, beside something else; milliseconds. others_per_second: answers to that."""

    beside: str
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    others_per_second: float


class Overload(msgspec.Struct, frozen=True):
    """All answers a second, and those of them that were 503; milliseconds, of both."""

    connections: int
    requests_per_second: float
    refused_per_second: float
    p50_ms: float
    p99_ms: float
    max_ms: float


class Pressure(msgspec.Struct, frozen=True):
    """What was measured of it."""

    singles: list[Single]
    overload: Overload | None


def beside(load: Load, single: Target, others: dict[str, Target], seconds: int, count: Count) -> list[Single]:
    """Singles alone first. others: by a name of OTHERS. Raises BenchError for a request without its answer."""
    return [
        _beside(load, single, name, target, seconds, count) for name, target in [("nothing", single), *others.items()]
    ]


def _beside(load: Load, single: Target, name: str, other: Target, seconds: int, count: Count) -> Single:
    think = SINGLES / RATE * 1000
    with ThreadPoolExecutor(1) as pool:
        background = pool.submit(load.run, other, OTHERS[name], seconds + 1) if name in OTHERS else None
        time.sleep(_LEAD_SECONDS)
        said = load.run(single, SINGLES, seconds, think_ms=think)
        rate = 0.0
        if background is not None:
            found = background.result()
            _check(found, name)
            count(name, found, OTHERS[name])
            rate = found.rate
    _check(said, f"predictions beside {name}")
    count("predictions", said, SINGLES)
    return Single(name, round(said.rate, 1), said.p50, said.p99, said.max, round(rate, 1))


def overload(load: Load, single: Target, seconds: int, count: Count) -> Overload:
    """Raises BenchError where a request has no answer at all."""
    said = load.run(single, OVERLOAD, seconds)
    _check(msgspec.structs.replace(said, refused=0), "overload")
    count("predictions", said, OVERLOAD)
    return Overload(OVERLOAD, round(said.rate, 1), round(said.refused / said.seconds, 1), said.p50, said.p99, said.max)


def lines(pressure: Pressure) -> list[str]:
    """For people."""
    said = [
        f"{one.requests_per_second:,.0f} single predictions/s beside {one.beside}"
        + (f" ({one.others_per_second:,.1f}/s)" if one.others_per_second else "")
        + f": p50 {one.p50_ms:.2f}, p99 {one.p99_ms:.2f}, longest {one.max_ms:.1f} ms"
        for one in pressure.singles
    ]
    if (over := pressure.overload) is not None:
        said.append(
            f"{over.connections:,} connections: {over.requests_per_second:,.0f} answers/s, "
            f"{over.refused_per_second:,.0f} of them 503; "
            f"p50 {over.p50_ms:.0f}, p99 {over.p99_ms:.0f}, longest {over.max_ms:.0f} ms"
        )
    return said


def _check(said: Said, what: str) -> None:
    if said.errors or not said.requests:
        raise BenchError(f"{what}: {msgspec.json.encode(said).decode()}")
