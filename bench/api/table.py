"""Table: the figures in words, and each run as it ends."""

from __future__ import annotations

from bench.api.figures import ApiFigures
from bench.api.outage import line as outage_line
from bench.api.pressure import lines as pressure_lines
from bench.api.trial import Run

_TITLES = {"ordinary": "ordinary FastAPI + sklearn", "mlflow": "mlflow models serve", "empty": "empty FastAPI endpoint"}


def line_of(run: Run) -> str:
    """One run, as it ends."""
    return (
        f"  {run.server:9}{run.connections:4}{run.rate:11,.0f}/s   p50 {run.said.p50:7.2f}  p99 {run.said.p99:7.2f}  "
        f"p99.9 {run.said.p999:7.2f} ms   {run.cpu_us:8,.0f} us   cores: {run.server_cores:.2f}, others there "
        f"{run.others:.2f}, load side {run.load_cores:.2f} (wrk waited {run.load_waited:.0%})"
        + (f"; drained {run.drain:.1f} s later" if run.drain else "")
    )


def table(figures: ApiFigures) -> list[str]:
    """For people. delivered/s: of ours, until the last is acknowledged. The columns on the right tell a noisy run:
    `others` is what took from the server's core.
    """
    head = (
        f"{'server':28}{'conn.':>6}{'requests/s':>12}{'delivered/s':>12}{'(slowest)':>12}"
        f"{'p50 ms':>9}{'p99':>9}{'p99.9':>9}{'cpu us':>10}"
    )
    lines = ["", f"{head}{'ours/this':>11}{'core':>7}{'others':>8}{'load':>7}"]
    for row in figures.rows:
        ratio = "-" if row.ours_to_this is None else f"{row.ours_to_this:g}"
        delivered = "-" if row.delivered_per_second is None else f"{row.delivered_per_second:,.0f}"
        lines.append(
            f"{_TITLES.get(row.server, row.server):28}{row.connections:6}{row.requests_per_second:12,.0f}"
            f"{delivered:>12}{f'({row.slowest:,.0f})':>12}{row.p50_ms:9.2f}{row.p99_ms:9.2f}{row.p999_ms:9.2f}{row.cpu_us:10,.1f}"
            f"{ratio:>11}{row.server_cores:7.2f}{row.others:8.2f}{row.load_cores:7.2f}"
        )
    if half := figures.half:
        floor = "" if half.floor_p999_ms is None else f"; a constant answer, paced alike: {half.floor_p999_ms:.2f}"
        lines.append(
            f"half load, {half.requests_per_second:,.0f}/s on {half.connections} connections: p50 {half.p50_ms:.2f}, "
            f"p99 {half.p99_ms:.2f}, p99.9 {half.p999_ms:.2f} ms (worst round {half.worst_p999_ms:.2f}{floor})"
        )
    if batch := figures.batch:
        lines.append(
            f"batches of 1,000 rows: {batch.rows_per_second:,.0f} rows/s answered, {batch.delivered_per_second:,.0f} "
            f"until delivered; {batch.cpu_us_row:.1f} us a row; p50 {batch.p50_ms:.0f}, p99 {batch.p99_ms:.0f} ms"
        )
    if pressed := figures.pressure:
        lines += pressure_lines(pressed)
    if away := figures.outage:
        lines.append(outage_line(away))
    if memory := figures.memory:
        lines.append(f"memory over {memory.answered:,} predictions: last / first {memory.ratio:.3f}")
    found = figures.delivery
    lines += [
        "start to ready, s: " + ", ".join(f"{name} {seconds:.1f}" for name, seconds in figures.start_seconds.items()),
        "resident memory, MB: " + ", ".join(f"{name} {size:.0f}" for name, size in figures.resident_mb.items()),
        f"answered {found.answered:,} (the load side saw {found.seen:,}, {found.cut_off} were cut off at the ends of "
        f"runs), delivered {found.delivered:,}, repeats {found.repeats}, missing {found.missing}: "
        + ("equal" if found.exact else "NOT EQUAL"),
    ]
    return lines
