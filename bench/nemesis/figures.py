"""The figures of a run, and their table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec


class NemesisFigures(msgspec.Struct, frozen=True, kw_only=True):
    """produced: distinct events that the producer was told are acknowledged. counted: rows of the reports, each id
    once. lost, double: rows too few and too many, by window. late: counted as late; late_expected: sent late on
    purpose. sigkills: of workers. exact: nothing is lost, double, late unasked or reported twice differently, no gap,
    and the accounts balance. report_*_seconds: a report's delay behind the moment when every partition was sent an
    event that ends its window. repeats: events sent twice on purpose; resent: chunks sent again after a failure, for
    nobody knew what of them had arrived. fenced: heartbeats of workers that had lost their partition. replaced: workers
    that ended with a line because another process had their name, and were started again.
    """

    produced: int
    counted: int
    lost: int
    double: int
    repeated_reports: int
    windows: int
    sigkills: int
    faults: int
    balanced: bool
    exact: bool
    gaps: int
    late: int
    late_expected: int
    fenced: int
    replaced: int
    repeats: int
    resent: int
    report_p50_seconds: float
    report_p99_seconds: float
    report_max_seconds: float
    seconds: float
    seed: int


def table(figures: NemesisFigures, kinds: Mapping[str, int], differences: Sequence[object]) -> list[str]:
    """In words; the differences first, where there are any."""
    done = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    return [
        *(f"DIFFERENCE {difference}" for difference in differences),
        f"events          {figures.produced:>9,} acknowledged = {figures.counted:,} counted + {figures.late:,} late "
        f"({figures.late_expected:,} on purpose)",
        f"lost, double    {figures.lost:>9,} {figures.double:,}",
        f"windows         {figures.windows:>9,} with {figures.repeated_reports:,} repeated reports",
        f"faults          {figures.faults:>9,} ({done})",
        f"gaps            {figures.gaps:>9,}",
        f"fenced          {figures.fenced:>9,} heartbeats; {figures.replaced:,} workers by another of their name",
        f"sent twice      {figures.repeats:>9,} events on purpose, and {figures.resent:,} chunks after a failure",
        f"reports' delay  {figures.report_p50_seconds:>9.1f} s p50, {figures.report_p99_seconds:.1f} s p99, "
        f"{figures.report_max_seconds:.1f} s max",
        f"accounts        {'balanced' if figures.balanced else 'do not balance':>9}",
        f"took            {figures.seconds:>9.0f} s (seed {figures.seed})",
        "exact" if figures.exact else "NOT EXACT",
    ]
