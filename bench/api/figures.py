"""Figures: of each server and number of connections the least disturbed run, and the ratios of the rounds.

Other work on a shared machine can only slow a run down, so the fastest of a case is the one that says most. A ratio is
the median of the ratios of the rounds: a load that comes and goes has then hit both sides alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import msgspec

from bench.api.outage import Outage
from bench.api.pressure import Pressure
from bench.api.trial import Run

OURS, GOAL, MANY = "ours", 16, 64
"""The connections that the goals are set on."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One case; milliseconds. All but slowest, runs and ours_to_this are of its fastest run, see trial.Run for the
    cores. ours_to_this: how many times as many requests/s ours answers, median of the rounds. delivered_per_second: of
    ours, until the last is acknowledged by Kafka."""

    server: str
    connections: int
    runs: int
    requests_per_second: float
    delivered_per_second: float | None
    slowest: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    cpu_us: float
    server_cores: float
    others: float
    load_cores: float
    load_waited: float
    drain_seconds: float
    ours_to_this: float | None


class Half(msgspec.Struct, frozen=True, kw_only=True):
    """Paced at half of the measured rate, medians of the rounds; worst: of their p99.9. floor: p99.9 of a constant
    answer without a framework, paced alike: what the load side and the machine add by themselves."""

    requests_per_second: float
    connections: int
    p50_ms: float
    p99_ms: float
    p999_ms: float
    worst_p999_ms: float
    floor_p999_ms: float | None


class Batches(msgspec.Struct, frozen=True, kw_only=True):
    """POST /predict/batch of 1,000 rows, the fastest run. delivered_per_second: until the last is acknowledged."""

    rows_per_second: float
    delivered_per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us_row: float
    connections: int


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Resident memory, 10^6 bytes, by predictions answered. ratio: at the end / at the first of them."""

    answered: int
    megabytes: dict[str, float]
    ratio: float


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """answered: predictions that our server says it answered. seen: those whose answer the load side got; the others
    (cut_off) were under way when a run of wrk was over. delivered: different ids on `predictions`; repeats: records
    beyond those. missing: answers to requests of our own, whose ids we know, that are not there."""

    answered: int
    seen: int
    cut_off: int
    most_cut_off: int
    delivered: int
    repeats: int
    missing: int

    @property
    def exact(self) -> bool:
        """Every answer was delivered, nothing else was, and the two sides' counts of answers fit."""
        return self.delivered == self.answered and not self.missing and 0 <= self.cut_off <= self.most_cut_off


class ApiFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The first ones are ours at 16 connections, _64 at 64; null: not run. start_seconds: with a cached model."""

    requests_per_second: float | None
    requests_per_second_64: float | None
    ratio_to_ordinary: float | None
    ratio_to_empty: float | None
    ratio_to_mlflow: float | None
    p50_ms: float | None
    p99_ms: float | None
    p99_ms_64: float | None
    p999_ms_half_load: float | None
    cpu_us: float | None
    cpu_us_64: float | None
    batch_rows_per_second: float | None
    answered: int
    delivered: int
    exact: bool
    keys: bool
    start_seconds: dict[str, float]
    resident_mb: dict[str, float]
    rows: list[Row]
    half: Half | None
    batch: Batches | None
    memory: Memory | None
    pressure: Pressure | None
    outage: Outage | None
    delivery: Delivery


def rows_of(rounds: Sequence[Sequence[Run]]) -> list[Row]:
    """One for each case, in the order of the first round."""
    cases = list(dict.fromkeys((run.server, run.connections) for runs in rounds for run in runs))
    return [_row(rounds, server, connections) for server, connections in cases]


def _row(rounds: Sequence[Sequence[Run]], server: str, connections: int) -> Row:
    mine = [_of(runs, server, connections) for runs in rounds]
    ours = [_of(runs, OURS, connections) for runs in rounds]
    found = [run for run in mine if run is not None]
    ratios = [our.rate / my.rate for our, my in zip(ours, mine, strict=True) if our is not None and my is not None]
    best = max(found, key=lambda run: run.rate)
    return Row(
        server=server,
        connections=connections,
        runs=len(found),
        requests_per_second=round(best.rate, 1),
        delivered_per_second=round(_delivered(best), 1) if server == OURS else None,
        slowest=round(min(run.rate for run in found), 1),
        p50_ms=best.said.p50,
        p99_ms=best.said.p99,
        p999_ms=best.said.p999,
        max_ms=best.said.max,
        cpu_us=round(best.cpu_us, 1),
        server_cores=round(best.server_cores, 2),
        others=round(best.others, 2),
        load_cores=round(best.load_cores, 2),
        load_waited=round(best.load_waited, 3),
        drain_seconds=round(best.drain, 2),
        ours_to_this=float(f"{median(ratios):.3g}") if ratios and server != OURS else None,
    )


def _delivered(run: Run) -> float:
    """Requests a second, until all of them are delivered."""
    return run.said.requests / (run.said.seconds + run.drain)


def _of(runs: Sequence[Run], server: str, connections: int) -> Run | None:
    for run in runs:
        if (run.server, run.connections) == (server, connections):
            return run
    return None


def half_of(runs: Sequence[Run], floor: Run | None) -> Half:
    """runs: paced ones of ours, one a round."""
    return Half(
        requests_per_second=round(median(run.rate for run in runs), 1),
        connections=runs[0].connections,
        p50_ms=round(median(run.said.p50 for run in runs), 3),
        p99_ms=round(median(run.said.p99 for run in runs), 3),
        p999_ms=round(median(run.said.p999 for run in runs), 3),
        worst_p999_ms=max(run.said.p999 for run in runs),
        floor_p999_ms=None if floor is None else floor.said.p999,
    )


def batches_of(runs: Sequence[Run], rows: int) -> Batches:
    """rows: in a batch."""
    best = max(runs, key=lambda run: run.rate)
    return Batches(
        rows_per_second=round(best.rate * rows),
        delivered_per_second=round(_delivered(best) * rows),
        p50_ms=best.said.p50,
        p99_ms=best.said.p99,
        cpu_us_row=round(best.cpu_us / rows, 2),
        connections=best.connections,
    )


def figures_of(
    rows: Sequence[Row],
    half: Half | None,
    batch: Batches | None,
    memory: Memory | None,
    delivery: Delivery,
    *,
    keys: bool,
    start_seconds: dict[str, float],
    resident_mb: dict[str, float],
    pressure: Pressure | None = None,
    outage: Outage | None = None,
) -> ApiFigures:
    """All of it, and out of it what the goals are set on."""
    by_case = {(row.server, row.connections): row for row in rows}
    one, many = by_case.get((OURS, GOAL)), by_case.get((OURS, MANY))

    def ratio(server: str) -> float | None:
        row = by_case.get((server, GOAL))
        return row.ours_to_this if row else None

    return ApiFigures(
        requests_per_second=one.requests_per_second if one else None,
        requests_per_second_64=many.requests_per_second if many else None,
        ratio_to_ordinary=ratio("ordinary"),
        ratio_to_empty=ratio("empty"),
        ratio_to_mlflow=ratio("mlflow"),
        p50_ms=one.p50_ms if one else None,
        p99_ms=one.p99_ms if one else None,
        p99_ms_64=many.p99_ms if many else None,
        p999_ms_half_load=half.p999_ms if half else None,
        cpu_us=one.cpu_us if one else None,
        cpu_us_64=many.cpu_us if many else None,
        batch_rows_per_second=batch.rows_per_second if batch else None,
        answered=delivery.answered,
        delivered=delivery.delivered,
        exact=delivery.exact,
        keys=keys,
        start_seconds=start_seconds,
        resident_mb=resident_mb,
        rows=list(rows),
        half=half,
        batch=batch,
        memory=memory,
        pressure=pressure,
        outage=outage,
        delivery=delivery,
    )
