"""What the tests of the replay stand on: a plan, judges, and the reports of verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from contracts.baseline import Baseline
from contracts.reports import encode_report
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.drift.rule import CALIBRATED, DecisionRule
from stream_app.replay.judging import Judgement, Judges, Plan, Verdict
from stream_app.windowing.decoding import Limits
from stream_app.windowing.tumbling import WindowConfig
from tests.builders import a_baseline, a_schema

FIRST = a_baseline(rows=60)
SECOND = a_baseline(rows=60, version="2", schema=a_schema(("distance",), ("carrier", "origin")))
KNOWN: Mapping[tuple[str, str], Baseline] = {("flights", "1"): FIRST, ("flights", "2"): SECOND}
DIGESTS = {FIRST.digest: FIRST, SECOND.digest: SECOND}
SIZE = 10_000


def a_rule(n_min: int = 1, rule: DecisionRule = CALIBRATED) -> DecisionRule:
    return msgspec.structs.replace(rule, n_min=n_min)


def a_plan(*, size: int = SIZE, lateness: int = 0, idle: int = 4_000, judgements: int = 1, **limits: int) -> Plan:
    bounds = {"max_future_ms": 1 << 50, "max_age_ms": 1 << 50, **limits}
    return Plan(
        windows=WindowConfig(size, lateness),
        idle_ms=idle,
        limits=Limits(**bounds),
        judgements=(Judgement(a_rule(), PolicyConfig()),) * judgements,
    )


def judges(plan: Plan, **options: Any) -> Judges:
    return Judges(plan.judgements, DIGESTS, **options)


def reports(verdicts: Iterable[Verdict]) -> list[bytes]:
    return sorted(encode_report(verdict.report) for verdict in verdicts)


def rows(verdicts: Sequence[Verdict]) -> list[tuple[int, int]]:
    """Start of each window in seconds since the epoch, and its rows, in the order of the reports."""
    return [(int(verdict.report.window_start.timestamp()), verdict.report.rows) for verdict in verdicts]
