"""What a sink says of one feature beyond the alert's own sentence: findings, cause, expected change. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from contracts.alerts import AlertFeature, DriftAlert
from stream_app.alerting.number_words import p_words
from stream_app.alerting.performance_words import measure_words
from stream_app.alerting.wording import explanation

CUT = "…"


def findings(feature: AlertFeature) -> str:
    """What alarms, with its numbers, and since when they are not news: `values, out of range: effect 0.21, p 3e-41`."""
    if "performance" in feature.findings:
        seen = "" if feature.seen is None else f", last seen {instant(feature.seen)}"
        return measure_words(feature.feature, feature.reference, feature.value, p_words(feature.p_value)) + seen
    what = ", ".join(finding.replace("_", " ") for finding in feature.findings)
    p_value = "< 1e-300" if feature.p_value < 1e-300 else f"{feature.p_value:.1g}"
    seen = "" if feature.seen is None else f", last seen {instant(feature.seen)}"
    return f"{what}: effect {feature.effect:.2f}, p {p_value}{seen}"


def cause(feature: AlertFeature) -> str | None:
    """The cause's sentence, without the feature's name in front: every sink writes that itself."""
    return next(iter(explanation(feature.feature, feature.cause, None)), None)


def expected_change(feature: AlertFeature) -> str | None:
    """`expected if the data broke: mean score -.061, positive rate -4.4 points`; None where no effect was estimated."""
    return next(iter(explanation(feature.feature, None, feature.model_effect)), None)


def line(feature: AlertFeature) -> str:
    """All of it in one line: `distance (values: effect 0.21, p 3e-41): cause; expected ...: mean score -.061`."""
    more = explanation(feature.feature, feature.cause, feature.model_effect)
    return ": ".join([f"{feature.feature} ({findings(feature)})", *(["; ".join(more)] if more else [])])


def window(alert: DriftAlert) -> str:
    """`2026-01-01T12:00:00Z to 2026-01-01T13:00:00Z`."""
    return f"{instant(alert.window_start)} to {instant(alert.window_end)}"


def instant(moment: datetime) -> str:
    """RFC 3339, in UTC, to the second."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def cut(text: str, limit: int, written: Callable[[str], str] = str) -> str:
    """The text as it is `written`, shortened before it is written until that has no more than `limit` characters:
    what is escaped is never cut in the middle of an escape.

    >>> cut("a & b", 8, lambda text: text.replace("&", "&amp;"))
    'a &amp;…'
    """
    if len(written(text)) <= limit:
        return written(text)
    shortest, longest = 0, len(text)  # of what fits, of what may fit
    while shortest < longest:
        middle = (shortest + longest + 1) // 2
        if len(written(text[:middle])) + len(CUT) <= limit:
            shortest = middle
        else:
            longest = middle - 1
    return written(text[:shortest]) + CUT


def first(features: Sequence[AlertFeature], limit: int) -> tuple[Sequence[AlertFeature], int]:
    """So many of the features, most important first, and how many are left out."""
    return features[:limit], max(0, len(features) - limit)
