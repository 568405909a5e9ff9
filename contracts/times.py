"""Time: ISO 8601 with a zone on the wire, whole milliseconds since the epoch (UTC) inside.

A time without a zone is refused, for nobody could say when it was.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

UtcTime = Annotated[datetime, msgspec.Meta(tz=True)]

EPOCH, MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)


def moment(ms: int) -> datetime:
    """Milliseconds since the epoch as a time in UTC. Raises OverflowError beyond the years 1 to 9999.

    >>> moment(-1).isoformat()
    '1969-12-31T23:59:59.999000+00:00'
    """
    return EPOCH + timedelta(milliseconds=ms)


def milliseconds(time: datetime) -> int:
    """Whole milliseconds since the epoch, what is finer cut off. time: with a zone.

    Rounded, the last half millisecond of a window would be counted into the next one.
    """
    return (time - EPOCH) // MILLISECOND
