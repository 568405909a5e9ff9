"""Figures of swaps, and their table."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """Some seconds of load. p50_ms, p99_ms: from a request's own moment to its answer. cpu_us: processor time of the
    API for each request, everything in it counted. events: of the version on its way, for each request.
    """

    name: str
    requests: int
    p50_ms: float
    p99_ms: float
    cpu_us: float
    events: float


class SwapFigures(msgspec.Struct, frozen=True, kw_only=True):
    """failed_requests: of all that were sent. switch_seconds: the slowest switch to a version that is held ready, from
    the word on `model-events` (as it is sent) to the first event of the new version; switch_median_seconds; switches:
    how many. cold_seconds: to a version that must be fetched, proved and loaded first (API_STANDBY=false), None where
    it was not measured. around_p99_ms: of requests within a second of a switch. lost_events: answered ids that are not
    on the topic; wrong_events: whose event names another version or role than the answer; double_events: ids twice.
    """

    requests: int
    failed_requests: int
    switches: int
    switch_seconds: float
    switch_median_seconds: float
    cold_seconds: float | None
    around_p99_ms: float
    lost_events: int
    wrong_events: int
    double_events: int
    phases: list[Phase]

    @property
    def held(self) -> bool:
        """Whether no request failed, nothing was lost or said wrongly, and each switch took less than a second."""
        accounts = self.failed_requests + self.lost_events + self.wrong_events + self.double_events
        return accounts == 0 and self.switch_seconds < 1


def milliseconds(seconds: Sequence[float], percent: float) -> float:
    """A percentile. Raises ValueError for none.

    >>> milliseconds([0.001, 0.002, 0.003], 50)
    2.0
    """
    if not seconds:
        raise ValueError("no requests")
    return round(float(np.percentile(np.asarray(seconds), percent)) * 1000, 2)


def table(found: SwapFigures) -> list[str]:
    """For people."""
    cold = "not measured" if found.cold_seconds is None else f"{found.cold_seconds:.1f} s"
    return [
        f"{found.requests:,} requests, {found.failed_requests} failed; {found.lost_events} events lost, "
        f"{found.wrong_events} wrong, {found.double_events} double",
        f"{found.switches} switches to a version held ready: {found.switch_median_seconds:.3f} s, the slowest "
        f"{found.switch_seconds:.3f} s; p99 within a second of one {found.around_p99_ms:.1f} ms",
        f"to a version that must be loaded first: {cold}",
        "",
        f"{'':24}{'requests':>10}{'p50 ms':>9}{'p99 ms':>9}{'cpu us':>9}{'its events':>12}",
        *(
            f"{phase.name:24}{phase.requests:10,}{phase.p50_ms:9.2f}{phase.p99_ms:9.2f}{phase.cpu_us:9.0f}"
            f"{phase.events:12.2f}"
            for phase in found.phases
        ),
    ]
