"""The sentences of an alert: what drifted, by how much, since when. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from contracts.reports import DriftReport, FeatureVerdict, Finding

NAMED = 3
"""So many features are named with their numbers; the alert's `features` has them all."""

_RATE_WORDS: dict[Finding, str] = {
    "missing": "missing",
    "out_of_range": "out of range",
    "unseen": "unseen levels",
    "positives": "positive decisions",
}
_EFFECT_WORDS = {"categorical": "largest share change", "boolean": "largest share change"}


def finding_words(verdict: FeatureVerdict) -> str:
    """What alarms about one feature, with its numbers: `values: KS .21, p 3e-41; missing 1 % -> 31 %`."""
    words = []
    for finding in verdict.findings:
        if finding == "values":
            effect = _EFFECT_WORDS.get(verdict.kind, "KS")
            words.append(f"values: {effect} {_fraction(verdict.effect)}, p {_p(verdict.p_value)}")
        else:
            words.append(_rate_words(verdict, finding))
    return "; ".join(words)


def _rate_words(verdict: FeatureVerdict, finding: Finding) -> str:
    """A rate with the reference's own, where the report has a statistic of the finding's name."""
    statistic = next((s for s in verdict.statistics if s.name == finding), None)
    if statistic is None or statistic.reference is None:
        return _RATE_WORDS[finding]
    return f"{_RATE_WORDS[finding]} {_percent(statistic.reference)} -> {_percent(statistic.value)}"


def raised(report: DriftReport, features: Sequence[tuple[str, str]], page_after: int, of_last: int) -> str:
    """features: (name, finding words), strongest first."""
    rule = f"in at least {page_after} of the last {of_last} compared windows"
    return f"{_subject(report)}: drift in {_listed(features)} {rule}, {_window(report)}"


def escalated(report: DriftReport, new: Sequence[tuple[str, str]], paging: int) -> str:
    """new: the features that joined, as in `raised`. paging: how many page now, the new ones included."""
    return f"{_subject(report)}: drift spreads to {_listed(new)}; features paging now: {paging}, {_window(report)}"


def resolved(report: DriftReport, features: Sequence[str], opened: datetime, clean: int) -> str:
    """features: all that belonged to the incident. opened: start of the window that raised it."""
    names = _listed([(name, "") for name in features])
    after = "1 clean window" if clean == 1 else f"{clean} clean windows in a row"
    return f"{_subject(report)}: drift in {names} is over after {after}, raised {_time(opened)}, {_window(report)}"


def _subject(report: DriftReport) -> str:
    return f"{report.model}/{report.version}"


def _window(report: DriftReport) -> str:
    return f"window {_time(report.window_start)} to {_time(report.window_end)}"


def _listed(features: Sequence[tuple[str, str]]) -> str:
    words = [f"{name} ({about})" if about else name for name, about in features[:NAMED]]
    more = len(features) - NAMED
    return ", ".join(words) + (f" and {more} more" if more > 0 else "")


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _fraction(value: float) -> str:
    """Two places, as statisticians write a distance.

    >>> _fraction(0.2081), _fraction(1.0)
    ('.21', '1.00')
    """
    text = f"{value:.2f}"
    return text.removeprefix("0") if text.startswith("0.") else text


def _p(value: float) -> str:
    """
    >>> _p(3.2e-41), _p(0.0), _p(0.004)
    ('3e-41', '< 1e-300', '0.004')
    """
    if value < 1e-300:
        return "< 1e-300"
    return f"{value:.0e}" if value < 1e-3 else f"{value:.1g}"


def _percent(rate: float) -> str:
    """
    >>> _percent(0.31), _percent(0.004)
    ('31 %', '0.4 %')
    """
    return f"{100 * rate:.2g} %" if rate < 0.1 else f"{100 * rate:.0f} %"
