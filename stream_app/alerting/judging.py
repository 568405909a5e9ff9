"""Judging a window that is over: its report, and what the alert policy makes of it.

A worker and a replay both ask here: given the same counts they say the same.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from contracts.alerts import DriftAlert
from contracts.mutes import Mute
from contracts.reports import DriftReport
from stream_app.alerting.policy import decide
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.alerting.policy_state import PolicyState
from stream_app.drift.report import report
from stream_app.drift.rule import DecisionRule
from stream_app.windowing.closing import Closing


class Judged(NamedTuple):
    """state: of the policy after this report; alerts: to be written, none or one."""

    report: DriftReport
    state: PolicyState
    alerts: tuple[DriftAlert, ...]


def report_of(closing: Closing, rule: DecisionRule) -> DriftReport:
    """The window compared with its baseline."""
    return report(
        closing.baseline,
        closing.counts,
        window_start=closing.window_start,
        window_end=closing.window_end,
        rows=closing.rows,
        shadow_rows=closing.shadow_rows,
        merged_windows=closing.merged_windows,
        partitions=closing.partitions,
        rule=rule,
    )


def judged(
    closing: Closing, before: PolicyState, rule: DecisionRule, policy: PolicyConfig, mutes: Collection[Mute] = ()
) -> Judged:
    """before: the policy's state after the version's report before this one."""
    found = report_of(closing, rule)
    state, alerts = decide(before, found, policy, mutes)
    return Judged(found, state, alerts)
