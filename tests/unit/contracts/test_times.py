"""All times together become what each becomes by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.times import all_milliseconds, milliseconds, moment

MANY = 40
"""More than are converted one by one."""
ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(timezones=st.just(UTC) | ZONES)
LATELY = st.datetimes(
    moment(1).replace(tzinfo=None), moment(1 << 44).replace(tzinfo=None), timezones=st.just(UTC) | ZONES
)
WHOLE = LATELY.map(lambda time: time.replace(microsecond=0))
A_TIME, A_WHOLE = datetime(2026, 1, 2, 3, 4, 5, 678_999, UTC), datetime(2026, 1, 2, tzinfo=UTC)
AN_HOUR = timedelta(hours=1)


@given(
    st.lists(TIMES, max_size=MANY)
    | st.lists(TIMES, min_size=MANY)
    | st.lists(LATELY, min_size=MANY)
    | st.lists(LATELY | WHOLE, min_size=MANY)
)
@example([A_TIME] * MANY)
@example([A_WHOLE] * MANY)
@example([A_TIME] * (MANY - 1) + [A_WHOLE])
@example([A_TIME] * 70_000)
@example([A_WHOLE] * 50 + [datetime(1, 1, 1, tzinfo=UTC)] * 40)  # as long together as 90 of the usual form
@example([A_TIME] * (MANY - 1) + [datetime.min.replace(tzinfo=timezone(AN_HOUR))])  # no time of UTC's calendar
@example([A_TIME] * (MANY - 1) + [datetime.max.replace(tzinfo=timezone(-AN_HOUR))])
def test_all_together_are_what_each_is(times: list[datetime]) -> None:
    found = all_milliseconds(times)
    assert found.dtype == "int64"
    assert found.tolist() == [milliseconds(time) for time in times]


@pytest.mark.parametrize("number", [1, MANY])
def test_a_time_without_a_zone_is_an_error(number: int) -> None:
    with pytest.raises(TypeError):
        all_milliseconds([A_TIME.replace(tzinfo=None)] * number)
