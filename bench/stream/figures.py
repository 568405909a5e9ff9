"""Figures: medians of the runs of each case, their ratios, and the table.

A ratio is the median of the ratios of the rounds: a load that comes and goes has then hit both sides alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import median

import msgspec

from bench.stream.cases import CASES, SHAPES, Case


class Run(msgspec.Struct, frozen=True):
    """One run of a case. seconds, cpu_seconds: of the span; cores and others: in use by the broker and by what does not
    belong here; startup: seconds to the first event, 0 where it is not known."""

    case: Case
    events: int
    seconds: float
    cpu_seconds: float
    broker: float
    others: float
    startup: float = 0.0


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A case, medians over its runs. slowest, fastest: of them, events/s. cores, broker, others: in use by its own
    processes, by the broker, by what does not belong here. ratio_to_...: of events/s; to_one: to one worker of ours;
    cpu_ratio_to_bare: of events/CPU-second."""

    case: str
    workers: int
    partitions: int
    features: int
    codec: str
    headers: bool
    runs: int
    events_per_second: float
    slowest: float
    fastest: float
    events_per_cpu_second: float
    cores: float
    broker: float
    others: float
    startup_seconds: float
    ratio_to_bare: float | None
    ratio_to_naive: float | None
    ratio_to_one: float | None
    cpu_ratio_to_bare: float | None


class StreamFigures(msgspec.Struct, frozen=True):
    """The five are of the first shape, 8 partitions and 20 features, plain; null where the case was not run. rows: by
    case. machine: cores. value_bytes: mean size of an event's value in the first shape that was loaded."""

    events_per_second: float | None
    events_per_cpu_second: float | None
    ratio_to_naive: float | None
    ratio_to_bare: float | None
    two_workers_ratio: float | None
    rows: list[Row]
    cores: int
    value_bytes: int


def rows_of(runs: Iterable[Run]) -> list[Row]:
    """One for each case that was run, in the order of CASES."""
    grouped: dict[Case, list[Run]] = {}
    for run in runs:
        grouped.setdefault(run.case, []).append(run)
    rows = []
    for case in sorted(grouped, key=CASES.index):
        group, shape = grouped[case], case.shape
        bare, naive, one = (grouped.get(Case(shape, what), []) for what in ("bare", "naive", "ours"))
        rows.append(
            Row(
                case=case.name,
                workers=case.workers,
                partitions=shape.partitions,
                features=shape.features,
                codec=shape.codec or "plain",
                headers=shape.headers,
                runs=len(group),
                events_per_second=round(median(map(_rate, group))),
                slowest=round(min(map(_rate, group))),
                fastest=round(max(map(_rate, group))),
                events_per_cpu_second=round(median(map(_cpu_rate, group))),
                cores=round(median(run.cpu_seconds / run.seconds for run in group), 2),
                broker=round(median(run.broker for run in group), 2),
                others=round(median(run.others for run in group), 2),
                startup_seconds=round(median(run.startup for run in group), 1),
                ratio_to_bare=_ratio(group, bare, _rate),
                ratio_to_naive=_ratio(group, naive, _rate),
                ratio_to_one=_ratio(group, one, _rate),
                cpu_ratio_to_bare=_ratio(group, bare, _cpu_rate),
            )
        )
    return rows


def figures_of(rows: Sequence[Row], cores: int, value_bytes: int) -> StreamFigures:
    """The rows, and from them the figures that the goals are set on."""
    by_name = {row.case: row for row in rows}
    one, two = (by_name.get(f"{SHAPES[0].name}/{what}") for what in ("ours", "two"))
    return StreamFigures(
        events_per_second=one.events_per_second if one else None,
        events_per_cpu_second=one.events_per_cpu_second if one else None,
        ratio_to_naive=one.ratio_to_naive if one else None,
        ratio_to_bare=one.ratio_to_bare if one else None,
        two_workers_ratio=two.ratio_to_one if two else None,
        rows=list(rows),
        cores=cores,
        value_bytes=value_bytes,
    )


def line_of(run: Run) -> str:
    """One run, as it ends."""
    return (
        f"{run.case.name:14}{_rate(run):10,.0f} events/s {_cpu_rate(run):10,.0f} per CPU-second"
        f"   broker {run.broker:.2f}, others {run.others:.2f} cores"
    )


def table(rows: Sequence[Row]) -> list[str]:
    """For people. The columns on the right tell a noisy run: `others` is what the machine did besides."""
    head = (
        f"{'case':14}{'events/s':>10}{'(range)':>20}{'per CPU-s':>11}{'/bare':>9}{'by CPU':>9}{'/naive':>8}{'/one':>7}"
    )
    lines = [f"{head}{'cores':>7}{'broker':>8}{'others':>8}{'start s':>9}"]
    for row in rows:
        spread = f"({row.slowest:,.0f}-{row.fastest:,.0f})"
        ratios = "".join(
            _text(ratio, width)
            for ratio, width in (
                (row.ratio_to_bare, 9),
                (row.cpu_ratio_to_bare, 9),
                (row.ratio_to_naive, 8),
                (row.ratio_to_one, 7),
            )
        )
        lines.append(
            f"{row.case:14}{row.events_per_second:10,.0f}{spread:>20}{row.events_per_cpu_second:11,.0f}{ratios}"
            f"{row.cores:7.2f}{row.broker:8.2f}{row.others:8.2f}{row.startup_seconds:9.1f}"
        )
    return lines


def _rate(run: Run) -> float:
    return run.events / run.seconds


def _cpu_rate(run: Run) -> float:
    return run.events / run.cpu_seconds


def _ratio(runs: Sequence[Run], others: Sequence[Run], of: Callable[[Run], float]) -> float | None:
    """Both in the order of the rounds."""
    if not others:
        return None
    ratio = median(of(run) / of(other) for run, other in zip(runs, others, strict=False))
    return float(f"{ratio:.3g}")


def _text(ratio: float | None, width: int) -> str:
    return f"{'-' if ratio is None else f'{ratio:.4g}':>{width}}"
