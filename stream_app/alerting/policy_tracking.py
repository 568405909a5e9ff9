"""What the alert policy remembers of each feature from window to window, and how severe its newest alarm is. Pure.

Here an alarm is one that counts: harmless ones are passed over, unless harmless drift pages.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from contracts.reports import QUALITY, FeatureVerdict
from stream_app.alerting import wording
from stream_app.alerting.policy_case import Case
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.alerting.policy_state import Tracked


def track(
    tracked: tuple[Tracked, ...], report: Case, config: PolicyConfig, muted: Callable[[str], bool]
) -> tuple[Tracked, ...]:
    """The features worth remembering after this window: those that alarm now as the report ranks them, then others,
    strongest first. A muted feature is remembered as any other.
    """
    before = {entry.feature: _counting(entry, config) for entry in tracked}
    alarming = {
        verdict.feature: verdict
        for verdict in report.features
        if verdict.alarm and (config.page_harmless or not verdict.harmless)
    }
    after = []
    for feature in before.keys() | alarming.keys():
        old, verdict = before.get(feature), alarming.get(feature)
        alarms = ((*old.alarms, verdict is not None) if old else (True,))[-config.of_last :]
        owed = any(alarms) and (muted(feature) or (old is not None and old.owed))
        if verdict is not None:
            after.append(_tracked(verdict, old, alarms, owed, report, config))
        elif old is not None and (old.in_incident or any(alarms)):
            clean = 0 if persists(alarms, config) else old.clean + 1
            after.append(replace(old, alarms=alarms, owed=owed, clean=clean))
    rank = {feature: i for i, feature in enumerate(report.alarms)}
    return tuple(sorted(after, key=lambda e: (rank.get(e.feature, len(rank)), e.p_value, -e.effect, e.feature)))


def harmless(report: Case, config: PolicyConfig) -> list[Tracked]:
    """What alarms in this window and is passed over, to be told beside what pages; it is not remembered."""
    passed = [] if config.page_harmless else [v for v in report.features if v.alarm and v.harmless]
    return [_tracked(verdict, None, (True,), False, report, config) for verdict in passed]


def persists(alarms: tuple[bool, ...], config: PolicyConfig) -> bool:
    """Whether a feature with these alarms pages, where it is not muted."""
    return sum(alarms) >= config.page_after


def _counting(entry: Tracked, config: PolicyConfig) -> Tracked:
    """An older version, or another setting, has counted harmless alarms; which of them were is not known."""
    return replace(entry, alarms=(False,) * len(entry.alarms)) if entry.harmless and not config.page_harmless else entry


def _tracked(
    verdict: FeatureVerdict,
    old: Tracked | None,
    alarms: tuple[bool, ...],
    owed: bool,
    report: Case,
    config: PolicyConfig,
) -> Tracked:
    measure = next((s for s in verdict.statistics if s.name == "performance"), None)
    return Tracked(
        feature=verdict.feature,
        alarms=alarms,
        in_incident=old is not None and old.in_incident,
        since=old.since if old is not None and any(old.alarms) else report.window_start,
        findings=verdict.findings,
        p_value=verdict.p_value,
        effect=verdict.effect,
        critical=not verdict.harmless and _is_critical(verdict, config),
        words=wording.verdict_words(verdict),
        harmless=verdict.harmless,
        owed=owed,
        cause=verdict.cause,
        model_effect=verdict.model_effect,
        seen=report.window_start,
        value=None if measure is None else measure.value,
        reference=None if measure is None else measure.reference,
    )


def _is_critical(verdict: FeatureVerdict, config: PolicyConfig) -> bool:
    jumps = (
        statistic.value - statistic.reference
        for statistic in verdict.statistics
        if statistic.name in QUALITY and statistic.name in verdict.findings and statistic.reference is not None
    )
    expected = None if verdict.model_effect is None else verdict.model_effect.expected
    change = 0.0 if expected is None else abs(expected.score)
    return (
        verdict.effect >= config.critical_effect
        or change >= config.critical_score_change
        or any(jump >= config.critical_rate_jump for jump in jumps)
    )
