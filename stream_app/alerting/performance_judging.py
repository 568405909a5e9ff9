"""Judging a window's performance: a revised report, as a case for the alert policy. Pure.

A window is judged once: at the first revision whose labels are complete (stream_app.performance.report.is_complete)
and enough to compare. Later revisions change what is known of it and page nobody. Windows are judged in the order of
time: one whose labels are complete only after a later window's were is passed over.
"""

from __future__ import annotations

from collections.abc import Collection

from contracts.alerts import DriftAlert
from contracts.mutes import Mute
from contracts.performance import Measured, PerformanceReport
from contracts.reports import FeatureVerdict, Statistic, Status
from stream_app.alerting.performance_words import PREFIX
from stream_app.alerting.policy import decide
from stream_app.alerting.policy_case import PerformanceCase
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.alerting.policy_state import PolicyState
from stream_app.performance.report import is_complete
from stream_app.performance.rule import RULE, PerformanceRule


def judged_performance(
    report: PerformanceReport,
    before: PolicyState,
    policy: PolicyConfig,
    mutes: Collection[Mute] = (),
    rule: PerformanceRule = RULE,
) -> tuple[PolicyState, tuple[DriftAlert, ...]]:
    """The state after one revision, and the alerts to write, none or one. before: the policy's state about the
    performance of this version; the one about its drift is another.

    The revision that was judged last gives back its alert unchanged, should a crash repeat it.
    """
    if report.status == "insufficient":
        return before, ()
    if not is_complete(report.labelled, report.predictions, report.final, rule):
        return before, ()
    if before.decided == report.window_start:
        return before, tuple(alert for alert in before.alerts if alert.report == report.id)
    return decide(before, case_of(report), policy, mutes)


def case_of(report: PerformanceReport) -> PerformanceCase:
    """The report as the policy takes it; only measures that were tested are in it, the strongest first."""
    tested = [metric for metric in report.metrics if metric.p_value is not None]
    verdicts = sorted((_verdict(metric, report) for metric in tested), key=lambda v: (not v.alarm, -v.effect))
    statuses: dict[str, Status] = {"well": "quiet", "degraded": "alarm", "insufficient": "insufficient"}
    return PerformanceCase(
        id=report.id,
        model=report.model,
        version=report.version,
        window_start=report.window_start,
        window_end=report.window_end,
        status=statuses[report.status],
        alarms=tuple(verdict.feature for verdict in verdicts if verdict.alarm),
        features=tuple(verdicts),
    )


def skill_lost(metric: Measured) -> float:
    """How much of what the model was good for is gone, 0 to 1, so that measures can be ranked, and called critical, on
    one scale: of AUC the share of what it had above .5, which is chance; of the calibration error its rise; of others
    the change as a share of the reference's.

    >>> round(skill_lost(Measured(name="auc", value=0.725, better="higher", reference=0.784)), 3)
    0.208
    """
    reference = metric.reference or 0.0
    change = reference - metric.value if metric.better == "higher" else metric.value - reference
    if metric.better == "zero":
        change = abs(metric.value) - abs(reference)
    if metric.name == "calibration_error":
        scale = 1.0
    else:
        scale = abs(reference - 0.5) if metric.name == "auc" else abs(reference)
    return min(1.0, max(0.0, change / scale)) if scale else float(change > 0)


def _verdict(metric: Measured, report: PerformanceReport) -> FeatureVerdict:
    p_value = 1.0 if metric.p_value is None else metric.p_value
    return FeatureVerdict(
        feature=PREFIX + metric.name,
        kind="score",
        rows=report.labelled,
        missing=0,
        p_value=p_value,
        effect=skill_lost(metric),
        statistics=(Statistic("performance", metric.value, p_value, metric.reference),),
        findings=("performance",) if metric.degraded else (),
        significant=metric.degraded,
        material=metric.degraded,
    )
