"""Figures of the delays, and their table."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bench.latency.moments import Delay


class RateFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One rate. The delays are as moments.py defines them. Cores in use meanwhile: of the worker, sink, broker, and of
    what does not belong here (load and reader do not count as that). behind_p99_ms: how late the load itself was."""

    rate: float
    seconds: float
    windows: int
    counted: Delay
    partials: Delay
    report: Delay
    alert: Delay
    webhook: Delay
    worker_cores: float
    sink_cores: float
    broker_cores: float
    load_cores: float
    other_cores: float
    behind_p99_ms: float


class LatencyFigures(msgspec.Struct, frozen=True):
    """The four are of the first rate, 2,000 events/s unless told otherwise. worker_cores: 0.15 is 15 % of a core."""

    counted_p99_ms: float
    report_p99_ms: float
    webhook_p99_ms: float
    worker_cores: float
    rates: list[RateFigures]


def figures_of(rates: Sequence[RateFigures]) -> LatencyFigures:
    """The rates, and from the first of them the figures that the goals are set on."""
    first = rates[0]
    return LatencyFigures(
        counted_p99_ms=first.counted.p99,
        report_p99_ms=first.report.p99,
        webhook_p99_ms=first.webhook.p99,
        worker_cores=first.worker_cores,
        rates=list(rates),
    )


def table(rates: Sequence[RateFigures]) -> list[str]:
    """For people."""
    lines = []
    for found in rates:
        lines += [
            "",
            f"{found.rate:,.0f} events/s for {found.seconds:g} s, {found.windows} windows; the load was behind its "
            f"plan by {found.behind_p99_ms:.0f} ms (p99)",
            f"cores: worker {found.worker_cores:.2f}, sink {found.sink_cores:.2f}, broker {found.broker_cores:.2f}, "
            f"load {found.load_cores:.2f}, others {found.other_cores:.2f}",
            f"{'ms':44}{'number':>9}{'p50':>9}{'p99':>9}{'max':>9}",
            _line("produced -> counted, in the changelog", found.counted),
            _line("watermark passes -> last partial on its topic", found.partials),
            _line("watermark passes -> report on its topic", found.report),
            _line("watermark passes -> alert on its topic", found.alert),
            _line("watermark passes -> webhook delivered", found.webhook),
        ]
    return lines


def _line(words: str, delay: Delay) -> str:
    return f"{words:44}{delay.number:9,}{delay.p50:9.1f}{delay.p99:9.1f}{delay.max:9.1f}"
