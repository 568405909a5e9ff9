"""Event time as it is written, in any zone and on the nights when clocks change: windows are UTC and equally long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest

from contracts.events import encode_event
from stream_app.windowing.accumulator import Partition
from stream_app.windowing.tumbling import WindowConfig
from tests.builders import an_event
from tests.unit.stream_app.windowing.stand import a_record, read

HOUR, DAY = 3_600_000, 24 * 3_600_000
BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")


def counted(times: list[datetime], size: int) -> dict[datetime, int]:
    """Rows by the start of their window, with time enough for any order."""
    partition = Partition(0, WindowConfig(size, lateness_ms=1000 * DAY))
    values = [encode_event(an_event(id=f"{i}", event_time=time)) for i, time in enumerate(times)]
    read(partition, [a_record(i, value) for i, value in enumerate(values)])
    partition.idle(1 << 50)
    return {
        datetime.fromtimestamp(part.window_start / 1000, UTC): part.rows
        for part in partition.due()
        if part.window_end - part.window_start == size
    }


@pytest.mark.parametrize(("zone", "day"), [(BERLIN, (2026, 10, 25, 2)), (NEW_YORK, (2026, 11, 1, 1))])
def test_the_hour_that_the_clock_shows_twice_is_two_windows(zone: tzinfo, day: tuple[int, int, int, int]) -> None:
    #   01:30  02:30 summer | 02:30 winter  03:30           Berlin
    first, again = (datetime(*day, 30, tzinfo=zone, fold=fold) for fold in (0, 1))
    windows = counted([first, again], HOUR)
    assert list(windows.values()) == [1, 1]
    earlier, later = sorted(windows)
    assert later - earlier == timedelta(hours=1)


@pytest.mark.parametrize(
    ("zone", "before"),
    [(BERLIN, datetime(2026, 3, 29, 0, 30, tzinfo=UTC)), (NEW_YORK, datetime(2026, 3, 8, 6, 30, tzinfo=UTC))],
)
def test_the_hour_that_the_clock_skips_is_no_window_and_leaves_no_gap(zone: tzinfo, before: datetime) -> None:
    #   01:30 | 03:30  04:30         an hour apart each
    times = [(before + timedelta(hours=i)).astimezone(zone) for i in range(3)]
    assert times[1].hour - times[0].hour == 2
    assert counted(times, HOUR) == {before.replace(minute=0) + timedelta(hours=i): 1 for i in range(3)}


@pytest.mark.parametrize("change", [(2026, 3, 29), (2026, 10, 25)])
def test_a_day_and_a_week_in_which_clocks_change_are_as_long_as_any_other(change: tuple[int, int, int]) -> None:
    midnight = datetime(*change, tzinfo=UTC)
    hours = [(midnight + timedelta(hours=hour, minutes=30)).astimezone(BERLIN) for hour in range(-24, 48)]
    assert counted(hours, DAY) == {midnight + timedelta(days=day): 24 for day in (-1, 0, 1)}
    week = [(midnight + timedelta(hours=hour)).astimezone(BERLIN) for hour in range(-400, 400)]
    rows = counted(week, 7 * DAY)
    _, *whole, _ = [rows[start] for start in sorted(rows)]
    assert {start.weekday() for start in rows} == {3}
    assert set(whole) == {168}


def test_an_instant_is_in_one_window_whatever_the_zone_it_is_written_in() -> None:
    instant = datetime(2026, 10, 25, 0, 59, 59, 999_999, tzinfo=UTC)
    zones: list[tzinfo] = [
        UTC,
        BERLIN,
        NEW_YORK,
        timezone(timedelta(hours=5, minutes=45)),
        timezone(-timedelta(hours=12)),
    ]
    assert counted([instant.astimezone(zone) for zone in zones], HOUR) == {
        instant.replace(minute=0, second=0, microsecond=0): 5
    }


@pytest.mark.parametrize("start", [datetime(1969, 12, 31, 23, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)])
def test_a_window_holds_its_first_instant_and_its_last_microsecond_and_not_its_end(start: datetime) -> None:
    end = start + timedelta(hours=1)
    before, last = start - timedelta(microseconds=1), end - timedelta(microseconds=1)
    hour = timedelta(hours=1)
    assert counted([before, start, last, end], HOUR) == {start - hour: 1, start: 2, end: 1}
