"""Outcome: the figures of a run, and a sentence for each thing that is not as it must be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from bench.nemesis.crew import Worker
from bench.nemesis.faults import Stop
from bench.nemesis.figures import NemesisFigures
from bench.nemesis.truth import Truth
from bench.nemesis.verdict import Verdict, id_of
from stream_app.audit.checks import Audit


def differences_of(
    truth: Truth, verdict: Verdict, found: Audit, workers: Sequence[Worker], *, stops: Iterable[Stop], read: bool
) -> list[str]:
    """What is not as it must be; nothing when all is well. read: whether every report on the topic was read."""
    late = _late(found)
    return [
        *verdict.differences,
        *map(str, found.differences),
        *([f"{found.unread} records were not read"] if found.unread else []),
        *([f"{late} events are late, {truth.late} were sent late"] if late != truth.late else []),
        *(f"{worker.name}: {worker.gaps} gaps" for worker in workers if worker.gaps),
        *(f"{worker.name} ended by itself: statuses {worker.ended}" for worker in workers if worker.ended),
        *(stop.wrong for stop in stops if stop.wrong),
        *([] if read else ["drift-reports could not be read to its end: repeated reports may be missing here"]),
    ]


def figures_of(
    truth: Truth,
    verdict: Verdict,
    found: Audit,
    workers: Sequence[Worker],
    *,
    exact: bool,
    faults: Mapping[str, int],
    repeats: int,
    resent: int,
    delays: Sequence[float],
    seconds: float,
    seed: int,
) -> NemesisFigures:
    """The figures. repeats: events sent twice on purpose; resent: chunks after a failure. delays: of reports, s."""
    p50, p99 = np.quantile(delays or [0.0], [0.5, 0.99]).tolist()
    return NemesisFigures(
        produced=truth.produced,
        counted=verdict.counted,
        lost=verdict.lost,
        double=verdict.double,
        repeated_reports=verdict.repeated_reports,
        windows=verdict.windows,
        sigkills=faults.get("kill", 0),
        faults=sum(faults.values()),
        balanced=found.balanced and found.unread == 0,
        exact=exact,
        gaps=sum(worker.gaps for worker in workers),
        late=_late(found),
        late_expected=truth.late,
        fenced=sum(worker.fenced for worker in workers),
        replaced=sum(worker.replaced for worker in workers),
        repeats=repeats,
        resent=resent,
        report_p50_seconds=round(p50, 2),
        report_p99_seconds=round(p99, 2),
        report_max_seconds=round(max(delays, default=0.0), 2),
        seconds=round(seconds, 1),
        seed=seed,
    )


def delays_of(truth: Truth, window_ms: int, reported: Mapping[str, float]) -> list[float]:
    """Seconds from the moment when every partition was sent an event that ends a window to its first report.

    reported: by id, seconds since the epoch. Windows behind the last event are left out, which only silence closes.
    """
    delays = []
    for window in truth.windows:
        passed, at = truth.passed(window.start + window_ms), reported.get(id_of(window))
        if passed is not None and at is not None:
            delays.append(at - passed)
    return delays


def _late(found: Audit) -> int:
    return sum(version.late + version.late_rows for version in found.accounts.versions)
