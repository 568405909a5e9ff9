"""What the command line may say, and the line that says why not."""

from __future__ import annotations

import pytest

from stream_app.errors import ReplayError
from stream_app.replay.spelling import OffsetRange, duration, moment, offsets, pairs


@pytest.mark.parametrize(
    ("text", "seconds"), [("10s", 10), ("15m", 900), ("1h", 3600), ("7d", 604_800), ("250ms", 0.25), ("1.5h", 5400)]
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert duration("--window", text) == seconds


@pytest.mark.parametrize("text", ["", "10", "s", "-1s", "1w", "1h30m", "1e3s", "nan s", "١s s"])
def test_what_is_no_duration_names_the_option_and_shows_one_that_is(text: str) -> None:
    with pytest.raises(ReplayError, match=r"^--window .*: a duration is a number and a unit, such as 10s, 15m"):
        duration("--window", text)


@pytest.mark.parametrize("text", ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2025-12-31 19:00:00-05:00"])
def test_a_time_has_a_zone(text: str) -> None:
    assert moment("--from", text) == 1_767_225_600_000


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ReplayError, match=r"^--from 2026-01-01T00:00:00: a time without a zone; append Z"):
        moment("--from", "2026-01-01T00:00:00")


def test_what_is_no_time_is_refused_with_one_that_is() -> None:
    with pytest.raises(ReplayError, match="--to yesterday: not a time; write it as 2026-01-31T12:00:00Z"):
        moment("--to", "yesterday")


def test_offsets_are_ranges_by_partition_with_open_ends() -> None:
    assert offsets("--offsets", "0:100-5000, 1:0-,2:-7,3:-") == {
        0: OffsetRange(100, 5000),
        1: OffsetRange(0, None),
        2: OffsetRange(None, 7),
        3: OffsetRange(None, None),
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0", "'0' is not PARTITION:FIRST-LAST"),
        ("0:1-2,", "'' is not PARTITION:FIRST-LAST"),
        ("0:1-2,0:5-", "partition 0 is there twice"),
        ("0:5-4", "ends before it begins"),
        ("-1:0-", "is not PARTITION:FIRST-LAST"),
    ],
)
def test_a_range_of_offsets_that_makes_no_sense_is_named(text: str, words: str) -> None:
    with pytest.raises(ReplayError, match=words):
        offsets("--offsets", text)


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["preset"], "write it as NAME=VALUE"),
        (["=1"], "write it as NAME=VALUE"),
        (["window=1s"], "there is no 'window'; there are preset, n-min"),
        (["n-min=1", "n-min=2"], "'n-min' is there twice"),
    ],
)
def test_a_pair_that_cannot_be_read_is_named_with_those_there_are(texts: list[str], words: str) -> None:
    with pytest.raises(ReplayError, match=words):
        pairs("--compare", texts, ("preset", "n-min"))
