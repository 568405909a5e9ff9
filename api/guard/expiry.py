"""When a key ends, as it is written on a command line: `90d`, `12h`, a date, or a time with its zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from api.errors import SettingsError

_OTHER_SPAN = re.compile(r"\d+(?![dh]$)[^\W\d_]+")
_SPAN = re.compile(r"(\d{1,5})([dh])")


def read_expiry(text: str, now: datetime) -> datetime:
    """A date ends at its beginning, in UTC. Raises SettingsError.

    >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    >>> str(read_expiry("90d", noon)), str(read_expiry("2026-03-01", noon))
    ('2026-04-01 12:00:00+00:00', '2026-03-01 00:00:00+00:00')
    """
    if span := _SPAN.fullmatch(text):
        count = int(span[1])
        if not count:
            raise SettingsError(f"--expires {text}: that is over")
        return _whole(now) + (timedelta(days=count) if span[2] == "d" else timedelta(hours=count))
    if _OTHER_SPAN.fullmatch(text):
        raise SettingsError(f"--expires {text}: the units are d (days) and h (hours), as in 90d and 12h")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"--expires {text}: give 90d, 12h, 2027-01-31 or 2027-01-31T12:00:00Z") from None
    if moment.tzinfo is None:
        if len(text) > len("2027-01-31"):
            raise SettingsError(f"--expires {text}: which zone? 2027-01-31T12:00:00Z is in UTC")
        moment = moment.replace(tzinfo=UTC)
    if moment <= now:
        raise SettingsError(f"--expires {text}: that is over")
    return moment


def _whole(now: datetime) -> datetime:
    return now.replace(microsecond=0)
