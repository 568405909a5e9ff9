"""Tumbling windows: every time is in exactly one, wherever it is cut."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.windowing.tumbling import WindowConfig, window_start

SECOND, HOUR, WEEK = 1000, 3_600_000, 7 * 24 * 3_600_000
sizes = st.sampled_from([10 * SECOND, 60 * SECOND, HOUR, 24 * HOUR, WEEK])


@given(st.integers(-(1 << 45), 1 << 48), sizes)
def test_a_time_is_in_the_window_that_starts_at_or_before_it_and_ends_after_it(time: int, size: int) -> None:
    start = window_start(time, size)
    assert start <= time < start + size
    assert start % size == 0


def test_a_window_of_an_hour_is_an_hour_also_on_the_night_when_clocks_change() -> None:
    #   01:00 CET ----- 02:00 CET = 03:00 CEST ----- 04:00 CEST      29 March 2026, Berlin
    berlin = ZoneInfo("Europe/Berlin")
    walls = [datetime(2026, 3, 29, hour, 30, tzinfo=berlin) for hour in (1, 3, 4)]
    starts = [window_start(round(wall.timestamp() * 1000), HOUR) for wall in walls]
    assert [later - earlier for earlier, later in pairwise(starts)] == [HOUR, HOUR]


@pytest.mark.parametrize(("size", "lateness", "field"), [(0, 0, "size_ms"), (10, -1, "lateness_ms")])
def test_a_size_or_lateness_that_cannot_be_is_named(size: int, lateness: int, field: str) -> None:
    with pytest.raises(ValueError, match=field):
        WindowConfig(size, lateness)
