"""Windows of the reference: cut as the stream cuts events, from times that are times."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.agents.configured import merging_config
from stream_app.settings import StreamSettings
from training.baselines.windows import FEWEST_ROWS, MOST_THIN, cut, spelt, window_length
from training.data.times import times_of
from training.errors import DataError

HOUR = 3_600_000


@given(times=st.lists(st.integers(-(10**7), 10**7), min_size=1, max_size=200), length=st.integers(1, 10**6))
def test_a_window_holds_the_rows_between_two_multiples_of_its_length(times: list[int], length: int) -> None:
    windows = cut(np.array(times), length, fewest=1)
    for i, a in enumerate(times):
        for j, b in enumerate(times):
            assert (windows.of_row[i] == windows.of_row[j]) == (a // length == b // length)
    assert windows.count == len({at // length for at in times})


@given(times=st.lists(st.integers(0, 10 * MOST_THIN), max_size=200), fewest=st.integers(1, 50))
def test_no_window_is_thin_and_only_the_last_rows_are_left_out(times: list[int], fewest: int) -> None:
    windows = cut(np.array(times, dtype=np.int64), 10, fewest)
    rows = windows.rows()
    assert len(rows) == windows.count
    assert all(part.size >= fewest for part in rows)
    left = [at for at, number in zip(times, windows.of_row.tolist(), strict=True) if number < 0]
    assert len(left) < fewest
    assert all(at // 10 > times[row] // 10 for at in left for part in rows for row in part)


def test_more_than_24_thin_windows_lose_the_oldest_as_in_the_stream() -> None:
    """One row each in windows 0 to 39: 25 of them make 25 rows, 26 never come together."""
    times = np.arange(40) * 10
    assert cut(times, 10, fewest=25).of_row.tolist() == [0] * 25 + [-1] * 15
    assert cut(times, 10, fewest=26).count == 0
    late = np.concatenate([times, np.full(10, 400)])  # the 41st window has 10 rows, 24 are kept before it
    assert cut(late, 10, fewest=34).of_row.tolist() == [-1] * 16 + [0] * 34
    assert cut(late, 10, fewest=35).count == 0


def test_what_is_thin_and_how_many_of_it_are_merged_is_as_in_a_stream_with_the_default_settings() -> None:
    merging = merging_config(StreamSettings(bootstrap="localhost:9092"))
    assert (merging.merger.minimum_rows, merging.merger.thin_windows) == (FEWEST_ROWS, MOST_THIN)


def test_the_order_of_the_rows_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    times = rng.integers(0, 100 * HOUR, 3_000)
    order = rng.permutation(times.size)
    one, other = cut(times, HOUR, 20), cut(times[order], HOUR, 20)
    assert (one.of_row[order] == other.of_row).all()


def test_some_rows_are_found_in_the_windows_of_all() -> None:
    windows = cut(np.array([0, 1, 11, 12, 25]), 10, fewest=2)
    assert [part.tolist() for part in windows.rows()] == [[0, 1], [2, 3]]
    some = np.array([4, 3, 0])
    assert [part.tolist() for part in windows.rows(some)] == [[2], [1]]


def test_a_window_aligned_to_the_epoch_begins_at_midnight_utc() -> None:
    times = times_of(pd.DataFrame({"at": ["2026-03-01T23:59:59.999Z", "2026-03-02T00:00Z"]}), "at")
    assert cut(times.milliseconds, window_length("1d"), fewest=1).of_row.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("10s", 10_000), ("30m", 1_800_000), ("6h", 6 * HOUR), ("1d", 24 * HOUR), ("7d", 168 * HOUR)],
)
def test_lengths_are_read_and_spelt_alike(text: str, milliseconds: int) -> None:
    assert window_length(text) == milliseconds
    assert spelt(milliseconds) == text


@pytest.mark.parametrize("text", ["", "1", "d", "1w", "9s", "8d", "1.5h", "-1h", "0s", "1 h", "1h30m", "99999999999d"])
def test_a_length_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=r"whole number and a unit \(s, m, h or d\) from 10s to 7d, such as 30m or 1d"):
        window_length(text)


UTC_MS = int(pd.Timestamp("2026-03-01T12:00:00Z").timestamp() * 1000)


@pytest.mark.parametrize(
    ("column", "assumed_utc"),
    [
        (["2026-03-01T12:00:00Z"], False),
        (["2026-03-01T13:00:00+01:00"], False),
        (["2026-03-01 12:00:00+00"], False),
        (["2026-03-01T12:00:00"], True),
        (["2026-03-01T12"], True),
        (pd.to_datetime(["2026-03-01T12:00:00"]), True),
        (pd.to_datetime(["2026-03-01T07:00:00-05:00"]), False),
        (pd.to_datetime(["2026-03-01T12:00:00Z"]).astype("datetime64[ns, UTC]"), False),
    ],
)
def test_times_with_and_without_a_zone(column: object, assumed_utc: bool) -> None:
    times = times_of(pd.DataFrame({"at": column}), "at")
    assert times.milliseconds.tolist() == [UTC_MS]
    assert times.assumed_utc == assumed_utc


def test_zones_may_be_mixed_and_dates_are_midnights() -> None:
    times = times_of(pd.DataFrame({"at": ["1970-01-01T01:00:00+01:00", "1970-01-01"]}), "at")
    assert times.milliseconds.tolist() == [0, 0]
    assert times.assumed_utc
    assert times_of(pd.DataFrame({"at": [date(1970, 1, 2)]}), "at").milliseconds.tolist() == [24 * HOUR]


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (["2026-03-01T12:00:00Z", "yesterday"], "holds 'yesterday': not a time"),
        (["2026-02-30"], "holds '2026-02-30': not a time"),
        (["03/01/2026"], "not a time"),
        (["2026-03-01", None], "is missing in 1 rows: remove those rows"),
        ([1_772_366_400, 1_772_366_401], "holds numbers such as 1772366400"),
        ([1.5], "holds numbers such as 1.5"),
        ([True, False], "holds numbers such as True"),
    ],
)
def test_what_is_no_time_is_refused_with_the_fix(column: list[object], says: str) -> None:
    with pytest.raises(DataError, match=says):
        times_of(pd.DataFrame({"at": column}), "at")


def test_a_time_column_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(DataError, match=r"no column 'when' .* as the time \(.*--time\); the file has at: correct"):
        times_of(pd.DataFrame({"at": ["2026-03-01"]}), "when")
