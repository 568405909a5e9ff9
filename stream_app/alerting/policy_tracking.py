"""What the alert policy remembers of each feature from window to window, and how severe its newest alarm is. Pure."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from contracts.reports import DriftReport, FeatureVerdict
from stream_app.alerting import wording
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.alerting.policy_state import Tracked

_QUALITY = ("missing", "out_of_range", "unseen")
"""Data that is not what it was: no effect on the model makes it harmless."""


def track(
    tracked: tuple[Tracked, ...], report: DriftReport, config: PolicyConfig, muted: Callable[[str], bool]
) -> tuple[Tracked, ...]:
    """The features worth remembering after this window: those that alarm now as the report ranks them, then others,
    strongest first. A muted feature is remembered as any other.
    """
    before = {entry.feature: entry for entry in tracked}
    alarming = {verdict.feature: verdict for verdict in report.features if verdict.alarm}
    after = []
    for feature in before.keys() | alarming.keys():
        old, verdict = before.get(feature), alarming.get(feature)
        alarms = ((*old.alarms, verdict is not None) if old else (True,))[-config.of_last :]
        owed = any(alarms) and (muted(feature) or (old is not None and old.owed))
        if verdict is not None:
            after.append(_tracked(verdict, old, alarms, owed, report, config))
        elif old is not None and (old.in_incident or any(alarms)):
            after.append(msgspec.structs.replace(old, alarms=alarms, owed=owed))
    rank = {feature: i for i, feature in enumerate(report.alarms)}
    return tuple(sorted(after, key=lambda e: (rank.get(e.feature, len(rank)), e.p_value, -e.effect, e.feature)))


def _tracked(
    verdict: FeatureVerdict,
    old: Tracked | None,
    alarms: tuple[bool, ...],
    owed: bool,
    report: DriftReport,
    config: PolicyConfig,
) -> Tracked:
    harmless = _is_harmless(verdict)
    return Tracked(
        feature=verdict.feature,
        alarms=alarms,
        in_incident=old is not None and old.in_incident,
        since=old.since if old is not None and any(old.alarms) else report.window_start,
        findings=verdict.findings,
        p_value=verdict.p_value,
        effect=verdict.effect,
        critical=not harmless and _is_critical(verdict, config),
        words=wording.verdict_words(verdict),
        harmless=harmless,
        owed=owed,
        cause=verdict.cause,
        model_effect=verdict.model_effect,
        seen=report.window_start,
    )


def _is_harmless(verdict: FeatureVerdict) -> bool:
    """The report says so; but it never silences data that is not what it was."""
    return verdict.harmless and not any(finding in _QUALITY for finding in verdict.findings)


def _is_critical(verdict: FeatureVerdict, config: PolicyConfig) -> bool:
    jumps = (
        statistic.value - statistic.reference
        for statistic in verdict.statistics
        if statistic.name in _QUALITY and statistic.name in verdict.findings and statistic.reference is not None
    )
    change = 0.0 if verdict.model_effect is None else abs(verdict.model_effect.expected.score)
    return (
        verdict.effect >= config.critical_effect
        or change >= config.critical_score_change
        or any(jump >= config.critical_rate_jump for jump in jumps)
    )
