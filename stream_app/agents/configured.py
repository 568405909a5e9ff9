"""What the settings say about counting, merging and judging. Raises SettingsError where they contradict themselves."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from contracts.topics import DEAD_LETTERS, DRIFT_ALERTS, DRIFT_REPORTS, WINDOW_PARTIALS, Topic
from stream_app.agents.merging import MergingConfig
from stream_app.agents.publishing import Address, Addresses
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.drift.rule import PRESETS, DecisionRule
from stream_app.errors import SettingsError
from stream_app.labelling.decoding import LabelLimits
from stream_app.labelling.partition import LabelConfig
from stream_app.performance.rule import RULE, PerformanceRule
from stream_app.settings import StreamSettings
from stream_app.windowing.decoding import Limits
from stream_app.windowing.merger import MergerConfig
from stream_app.windowing.tumbling import WindowConfig


def window_config(settings: StreamSettings) -> WindowConfig:
    """How time is cut."""
    return WindowConfig(settings.window_seconds * 1000, round(settings.lateness_seconds * 1000))


def limits(settings: StreamSettings) -> Limits:
    """How far an event may be from its record's time."""
    return Limits(round(settings.max_future_seconds * 1000), round(settings.max_age_seconds * 1000))


def merging_config(settings: StreamSettings) -> MergingConfig:
    """How windows are merged, judged and paged."""
    rule = decision_rule(settings)
    return MergingConfig(merger=MergerConfig(minimum_rows=rule.n_min), rule=rule, policy=policy_config(settings))


def decision_rule(settings: StreamSettings) -> DecisionRule:
    """The preset with this installation's least number of rows."""
    if settings.preset not in PRESETS:
        raise SettingsError(f"STREAM_PRESET={settings.preset}: no such rule; there are {', '.join(sorted(PRESETS))}")
    return msgspec.structs.replace(PRESETS[settings.preset], n_min=settings.n_min)


def policy_config(settings: StreamSettings) -> PolicyConfig:
    """When to page."""
    after = settings.remind_after_seconds
    # The default is no wish: with windows longer than a day every window may remind.
    if 0 < after < settings.window_seconds and "remind_after_seconds" in settings.model_fields_set:
        raise SettingsError(
            f"STREAM_REMIND_AFTER_SECONDS={after:g} is below STREAM_WINDOW_SECONDS={settings.window_seconds}: an "
            "incident is looked at once a window; raise the first (0: never remind), or lower the second"
        )
    if settings.page_after > settings.page_of_last:
        raise SettingsError(
            f"STREAM_PAGE_AFTER={settings.page_after} is above STREAM_PAGE_OF_LAST={settings.page_of_last}: a feature "
            f"cannot alarm in {settings.page_after} of its last {settings.page_of_last} windows; lower the first, or "
            "raise the second"
        )
    return PolicyConfig(
        page_after=settings.page_after,
        of_last=settings.page_of_last,
        resolve_after=settings.resolve_after,
        critical_effect=settings.critical_effect,
        critical_rate_jump=settings.critical_rate_jump,
        critical_score_change=settings.critical_score_change,
        page_harmless=settings.page_harmless,
        remind_after_ms=round(after * 1000),
    )


def label_config(settings: StreamSettings) -> LabelConfig:
    """How time is cut where labels are counted."""
    milliseconds = (round(seconds * 1000) for seconds in (settings.label_delay_seconds, settings.lateness_seconds))
    return LabelConfig(settings.window_seconds * 1000, *milliseconds)


def label_limits(settings: StreamSettings) -> LabelLimits:
    """How far a label's times may be from its record's. Of older predictions every label is late, at the best."""
    oldest = settings.label_delay_seconds + settings.window_seconds + settings.max_age_seconds
    return LabelLimits(round(settings.max_future_seconds * 1000), round(oldest * 1000))


def performance_rule(settings: StreamSettings) -> PerformanceRule:
    """The rule with what this installation asks of labels."""
    return msgspec.structs.replace(
        RULE, labels=settings.performance_min_labels, coverage=settings.performance_min_coverage
    )


def addresses(
    settings: StreamSettings,
    existing: Mapping[str, int],
    partials: Topic = WINDOW_PARTIALS,
    reports: Topic = DRIFT_REPORTS,
) -> Addresses:
    """Where a process writes. existing: the partitions that the broker has, by full name."""
    names = map(settings.topic, (partials, reports, DRIFT_ALERTS, DEAD_LETTERS))
    parts, told, alerts, dead_letters = (Address(name, existing[name]) for name in names)
    return Addresses(partials=parts, reports=told, alerts=alerts, dead_letters=dead_letters)
