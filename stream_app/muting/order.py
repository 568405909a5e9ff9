"""What a command line asks for, as a mute. Pure: the time is an argument. Faults are one line that names the option."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from contracts.mutes import Mute
from contracts.times import milliseconds, moment
from stream_app.alerting.performance_words import PREFIX
from stream_app.errors import MuteError
from stream_app.performance.comparison import TESTED
from stream_app.replay import spelling
from stream_app.windowing.typed import Version

_MEASURES = frozenset(PREFIX + name for name in TESTED)
"""Measures of performance are muted by name as features are; whether labels come is not known here."""
_SHOWN = 12
"""Names listed of those that there are."""


class Subject(msgspec.Struct, frozen=True):
    """What is to be muted. version: None is every version; feature: None is the whole model."""

    model: str
    version: str | None = None
    feature: str | None = None

    def found(self, mutes: Mapping[bytes, Mute]) -> Mute | None:
        """The mute of just this, if there is one."""
        never = moment(0)
        mute = Mute(model=self.model, version=self.version, feature=self.feature, since=never, until=never)
        return mutes.get(mute.key)


def mute_of(
    subject: Subject, *, until: str | None, for_: str | None, since: str | None, reason: str, now: datetime
) -> Mute:
    """The mute that the options ask for. Raises MuteError, ReplayError for what is spelt wrong."""
    if (until is None) == (for_ is None):
        raise MuteError("--until and --for: give one of the two, such as --for 2h or --until 2026-01-31T12:00:00Z")
    begin = now if since is None else _moment("--since", since)
    if for_ is not None:
        seconds = spelling.duration("--for", for_)
        if seconds <= 0:
            raise MuteError(f"--for {for_}: a mute must last; give a length such as 30m, 2h or 7d")
        end = _later("--for", for_, begin, seconds)
    else:
        end = _moment("--until", until or "")
    if end <= now and since is None:
        raise MuteError(
            f"--until {until}: that is past, it is {_shown(now)}; give a time to come, or --since too, for windows of "
            "the past"
        )
    if end <= begin:
        raise MuteError(f"--until {until}: that is not after the beginning, {_shown(begin)}; give a later time")
    return Mute(
        model=subject.model,
        version=subject.version,
        feature=subject.feature,
        since=begin,
        until=end,
        reason=reason,
    )


def ended(subject: Subject, mutes: Mapping[bytes, Mute], now: datetime) -> Mute:
    """The mute of this subject as it is to be from now on: over. Raises MuteError where there is none or was one.

    It stays on the topic, for a replay of the windows that it was about. One whose time is past altogether, of windows
    of the past, is about none from now on.
    """
    mute = subject.found(mutes)
    if mute is None or mute.until <= mute.since or mute.ended:
        there = "; ".join(_words(other) for other in standing(mutes.values(), now))
        raise MuteError(f"{_of(subject)} is not muted" + (f": there is {there}" if there else ": nothing is"))
    return msgspec.structs.replace(mute, until=max(mute.since, now) if mute.until > now else mute.since, ended=True)


def standing(mutes: Iterable[Mute], now: datetime) -> list[Mute]:
    """Those that have not ended, the first to end first."""
    return sorted((mute for mute in mutes if mute.until > max(now, mute.since)), key=lambda m: (m.until, m.key))


def unknown(subject: Subject, features: Mapping[Version, Sequence[str]]) -> str | None:
    """What of the subject no baseline knows, for a warning. features: of each model version that has one."""
    mine = {version: names for (model, version), names in features.items() if model == subject.model}
    if not mine:
        return f"no model {subject.model!r} has a baseline yet; there are: {_list(model for model, _ in features)}"
    if subject.version is not None and subject.version not in mine:
        return f"no version {subject.version!r} of {subject.model} has a baseline yet; there are: {_list(mine)}"
    watched = {name for version, names in mine.items() if subject.version in (None, version) for name in names}
    if subject.feature in _MEASURES:
        return None
    if subject.feature is not None and subject.feature not in watched:
        return f"no feature {subject.feature!r} of {subject.model} is watched yet; there are: {_list(watched)}"
    return None


def _moment(option: str, text: str) -> datetime:
    try:
        return moment(spelling.moment(option, text))
    except OverflowError:
        raise MuteError(f"{option} {text}: too far away; give a year from 1 to 9999") from None


def _later(option: str, text: str, begin: datetime, seconds: float) -> datetime:
    try:
        return moment(milliseconds(begin) + round(seconds * 1000))
    except OverflowError:
        raise MuteError(f"{option} {text}: too long; give a length such as 30m, 2h or 7d") from None


def _of(subject: Subject) -> str:
    whole = subject.model if subject.version is None else f"{subject.model}/{subject.version}"
    return whole if subject.feature is None else f"{subject.feature} of {whole}"


def _words(mute: Mute) -> str:
    return f"{mute.subject} until {_shown(mute.until)}"


def _shown(time: datetime) -> str:
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def _list(names: Iterable[str]) -> str:
    every = sorted(set(names))
    more = len(every) - _SHOWN
    return (", ".join(every[:_SHOWN]) or "none") + (f" and {more} more" if more > 0 else "")
