"""Figures: medians of the runs of each case, their ratios, and the table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    """A case, medians over its runs. cpu: of one worker, in cores; broker, others: cores in use meanwhile."""

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
    rate = {case: median(run.events / run.seconds for run in group) for case, group in grouped.items()}
    frugal = {case: median(run.events / run.cpu_seconds for run in group) for case, group in grouped.items()}
    rows = []
    for case in sorted(grouped, key=CASES.index):
        group, shape = grouped[case], case.shape
        bare, naive = Case(shape, "bare"), Case(shape, "naive")
        rows.append(
            Row(
                case=case.name,
                workers=case.workers,
                partitions=shape.partitions,
                features=shape.features,
                codec=shape.codec or "plain",
                headers=shape.headers,
                runs=len(group),
                events_per_second=round(rate[case]),
                slowest=round(min(run.events / run.seconds for run in group)),
                fastest=round(max(run.events / run.seconds for run in group)),
                events_per_cpu_second=round(frugal[case]),
                cores=round(median(run.cpu_seconds / run.seconds for run in group), 2),
                broker=round(median(run.broker for run in group), 2),
                others=round(median(run.others for run in group), 2),
                startup_seconds=round(median(run.startup for run in group), 1),
                ratio_to_bare=_ratio(rate[case], rate.get(bare), 3),
                ratio_to_naive=_ratio(rate[case], rate.get(naive), 1),
                cpu_ratio_to_bare=_ratio(frugal[case], frugal.get(bare), 3),
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
        two_workers_ratio=_ratio(two.events_per_second, one.events_per_second, 2) if one and two else None,
        rows=list(rows),
        cores=cores,
        value_bytes=value_bytes,
    )


def line_of(run: Run) -> str:
    """One run, as it ends."""
    rate, frugal = run.events / run.seconds, run.events / run.cpu_seconds
    return (
        f"{run.case.name:14}{rate:10,.0f} events/s {frugal:10,.0f} per CPU-second"
        f"   broker {run.broker:.2f}, others {run.others:.2f} cores"
    )


def table(rows: Sequence[Row]) -> list[str]:
    """For people. The columns on the right tell a noisy run: `others` is what the machine did besides."""
    head = f"{'case':14}{'events/s':>10}{'(range)':>20}{'per CPU-s':>11}{'/bare':>7}{'by CPU':>8}{'/naive':>8}"
    lines = [f"{head}{'cores':>7}{'broker':>8}{'others':>8}{'start s':>9}"]
    for row in rows:
        spread = f"({row.slowest:,.0f}-{row.fastest:,.0f})"
        ratios = f"{_text(row.ratio_to_bare)}{_text(row.cpu_ratio_to_bare, 8)}{_text(row.ratio_to_naive, 8)}"
        lines.append(
            f"{row.case:14}{row.events_per_second:10,.0f}{spread:>20}{row.events_per_cpu_second:11,.0f}{ratios}"
            f"{row.cores:7.2f}{row.broker:8.2f}{row.others:8.2f}{row.startup_seconds:9.1f}"
        )
    return lines


def _ratio(value: float, to: float | None, digits: int) -> float | None:
    return None if to is None else round(value / to, digits)


def _text(ratio: float | None, width: int = 7) -> str:
    return f"{'-' if ratio is None else f'{ratio:.4g}':>{width}}"
