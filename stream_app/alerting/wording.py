"""The sentences of an alert: what drifted, by how much, since when. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime

from contracts.alerts import Severity
from contracts.findings import Cause, ModelEffect
from contracts.reports import FeatureVerdict, Finding
from stream_app.alerting import performance_words as said
from stream_app.alerting.effect_words import effect_words
from stream_app.alerting.number_words import fraction, p_words, percent
from stream_app.alerting.policy_case import Case
from stream_app.alerting.policy_state import Tracked
from stream_app.drift.cause.sentences import subject

NAMED = 3
"""So many features are named with their numbers; the alert's `features` has them all."""
_BROKEN = "most causes look like broken data (an upstream source, a join, the pipeline) rather than a changed world"
_EITHER = "an upstream source, a join or the pipeline broke, or the world has changed"

_RATE_WORDS: dict[Finding, str] = {
    "missing": "missing",
    "out_of_range": "out of range",
    "unseen": "unseen levels",
    "positives": "positive decisions",
    "performance": "performance",
}
_EFFECT_WORDS = {"categorical": "largest share change", "boolean": "largest share change"}


def verdict_words(verdict: FeatureVerdict) -> str:
    """What alarms about one feature, its likely cause, and what it does to the model, with their numbers: `values: KS
    .21, p 3e-41; out of range 0 % -> 31 %, p 9e-80; shifted by +30; expected if the world moved: mean score -.061`.
    """
    more = explanation(verdict.feature, verdict.cause, verdict.model_effect)
    return "; ".join([_finding_words(verdict), *more])


def explanation(feature: str, cause: Cause | None, effect: ModelEffect | None) -> list[str]:
    """The likely cause in words, and the change of the model's answers that is expected; as far as they are known."""
    words = [] if cause is None else [cause.sentence.removeprefix(f"{subject(feature)}: ")]
    return words if effect is None else [*words, effect_words(feature, effect)]


def _finding_words(verdict: FeatureVerdict) -> str:
    return "; ".join(
        _values_words(verdict) if finding == "values" else _rate_words(verdict, finding) for finding in verdict.findings
    )


def _values_words(verdict: FeatureVerdict) -> str:
    """With the numbers of the value tests. The verdict's own are a rate's where that is stronger: they are only taken
    where there is no rate, or no statistic."""
    size, p = verdict.effect, verdict.p_value
    of_values = [statistic for statistic in verdict.statistics if statistic.name not in _RATE_WORDS]
    known = [statistic.p_value for statistic in of_values if statistic.p_value is not None]
    if len(verdict.findings) > 1 and known:
        size, p = of_values[0].value, min(known)
    return f"values: {_EFFECT_WORDS.get(verdict.kind, 'KS')} {fraction(size)}, p {p_words(p)}"


def _rate_words(verdict: FeatureVerdict, finding: Finding) -> str:
    """A rate with the reference's own and its p, where the report has a statistic of the finding's name."""
    statistic = next((s for s in verdict.statistics if s.name == finding), None)
    if statistic is None or statistic.reference is None:
        return _RATE_WORDS[finding]
    if finding == "performance":
        return said.measure_words(verdict.feature, statistic.reference, statistic.value, p_words(verdict.p_value))
    p = "" if statistic.p_value is None else f", p {p_words(statistic.p_value)}"
    return f"{_RATE_WORDS[finding]} {percent(statistic.reference)} -> {percent(statistic.value)}{p}"


def raised(report: Case, features: Sequence[Tracked], page_after: int, of_last: int) -> str:
    """features: those that page, most important first."""
    if report.subject == "performance":
        return said.raised(report, features, page_after, of_last)
    rule = f"in at least {page_after} of the last {of_last} compared windows"
    return f"{_subject(report)}: drift in {_described(features)} {rule}, {_window(report)}"


def storm(report: Case, features: Sequence[Tracked], count: int, watched: int) -> str:
    """features: those that page; count of the `watched` features are among them."""
    of_data = sum(entry.cause is not None and entry.cause.of_data for entry in features)
    reading = _BROKEN if 2 * of_data > len(features) else _EITHER
    return (
        f"{_subject(report)}: storm: {count} of {watched} features drift at once, so most likely one thing is behind "
        f"them; {reading}: {_described(features)}, {_window(report)}"
    )


def escalated(report: Case, new: Sequence[Tracked], paging: int, recovered: Collection[str]) -> str:
    """new: the features that joined, or that were muted. paging: how many page now, the new ones included. recovered:
    features that had belonged to the incident and were clean since.
    """
    if report.subject == "performance":
        return said.escalated(report, new, paging, recovered)
    if all(entry.in_incident for entry in new):
        what = "goes on, now that its mute has ended, in"
    else:
        what = "is back in" if all(entry.feature in recovered for entry in new) else "spreads to"
    return f"{_subject(report)}: drift {what} {_described(new)}; features paging now: {paging}, {_window(report)}"


def worsened(report: Case, features: Sequence[Tracked], before: Severity, now: Severity) -> str:
    """The severity rose from `before` to `now`."""
    if report.subject == "performance":
        return said.worsened(report, features, before, now)
    return f"{_subject(report)}: drift was {before} and is {now}: {_described(features)}, {_window(report)}"


def reminded(
    report: Case,
    paging: Sequence[Tracked],
    waiting: Sequence[Tracked],
    harmless: Sequence[Tracked],
    opened: datetime,
) -> str:
    """It goes on since the window that began at `opened`. waiting, harmless: what alarms in this window and does not
    page yet, or does not because it is harmless.
    """
    if report.subject == "performance":
        return said.reminded(report, paging, waiting, opened)
    told = [(entry.feature, entry.words) for entry in paging if entry.alarms[-1]]
    told += [(entry.feature, f"does not page yet; {entry.words}") for entry in waiting]
    told += [(entry.feature, f"does not page: harmless; {entry.words}") for entry in harmless]
    alarming = _listed(sorted(told, key=_rank(report)))
    earlier = _described([entry for entry in paging if not entry.alarms[-1]])
    now = f" in {alarming}" if alarming else ""
    before = f"; still paging: {earlier}" if earlier else ""
    return f"{_subject(report)}: drift goes on since {_time(opened)}{now}{before}, {_window(report)}"


def resolved(report: Case, features: Sequence[str], opened: datetime, clean: int) -> str:
    """features: all that belonged to the incident. opened: start of the window that raised it."""
    if report.subject == "performance":
        return said.resolved(report, features, opened, clean)
    names = _listed([(name, "") for name in features])
    after = "1 clean window" if clean == 1 else f"{clean} clean windows in a row"
    return f"{_subject(report)}: drift in {names} is over after {after}, raised {_time(opened)}, {_window(report)}"


def _described(features: Sequence[Tracked]) -> str:
    return _listed([(entry.feature, _as_seen(entry)) for entry in features])


def _as_seen(entry: Tracked) -> str:
    """Numbers of an earlier window are not told as this one's."""
    if entry.alarms[-1]:
        return entry.words
    when = "an earlier window" if entry.seen is None else f"the window of {_time(entry.seen)}"
    return f"last seen in {when}: {entry.words}"


def _rank(report: Case) -> Callable[[tuple[str, str]], int]:
    """As the report ranks what alarms in it."""
    rank = {feature: i for i, feature in enumerate(report.alarms)}
    return lambda told: rank.get(told[0], len(rank))


def _subject(report: Case) -> str:
    return f"{report.model}/{report.version}"


def _window(report: Case) -> str:
    return f"window {_time(report.window_start)} to {_time(report.window_end)}"


def _listed(features: Sequence[tuple[str, str]]) -> str:
    words = [f"{name} ({about})" if about else name for name, about in features[:NAMED]]
    more = len(features) - NAMED
    return ", ".join(words) + (f" and {more} more" if more > 0 else "")


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
