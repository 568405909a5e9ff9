"""What makes a run inexact besides the counts: workers that end badly, reports that nobody has read."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bench.nemesis.faults import TERM_SECONDS, Stop
from bench.nemesis.load import Plan
from bench.nemesis.models import baselines
from bench.nemesis.outcome import differences_of
from bench.nemesis.truth import Truth
from bench.nemesis.verdict import Verdict
from stream_app.audit.checks import Audit
from stream_app.windowing.accounts import Accounts

TRUTH = Truth(Plan(seed=1, seconds=1, start_ms=0), baselines(1, rows=100))
EXACT = Verdict(counted=0, lost=0, double=0, repeated_reports=0, windows=0, differences=())
BALANCED = Audit(
    on_topic=0, unread=0, answered=None, lost=(), accounts=Accounts(partitions=(), versions=()), differences=()
)


def told(stops: Sequence[Stop] = (), *, read: bool = True) -> list[str]:
    return differences_of(TRUTH, EXACT, BALANCED, [], stops=stops, read=read)


def test_a_worker_that_ends_with_status_0_is_well() -> None:
    assert told([Stop("worker-0", 0, 3.0)]) == []
    assert told([Stop("worker-0", -9, 8.7, killed=True)]) == []  # by the next fault


@pytest.mark.parametrize("status", [1, 2, -6, -9, -15, None])
def test_a_worker_that_ends_otherwise_after_sigterm_is_a_difference(status: int | None) -> None:
    [difference] = told([Stop("worker-0", 0, 1.0), Stop("joined-1", status, 3.0)])
    assert difference == f"joined-1 ended with status {status} after SIGTERM"


def test_a_worker_that_hangs_after_sigterm_is_a_difference() -> None:
    [difference] = told([Stop("worker-2", -9, TERM_SECONDS + 0.1)])
    assert difference == "worker-2 did not end within 40 s of SIGTERM"


def test_reports_that_were_not_all_read_are_a_difference() -> None:
    [difference] = told(read=False)
    assert difference.startswith("drift-reports could not be read to its end")
