"""Which offsets are read."""

from __future__ import annotations

import pytest

from stream_app.errors import ReplayError
from stream_app.replay.spans import Held, Span, by_offset, by_time
from stream_app.replay.spelling import OffsetRange


def test_without_a_range_all_that_the_log_holds_is_read() -> None:
    logs = {0: Held(0, 10), 1: Held(5, 5), 2: Held(3, 9)}
    assert by_time(logs, since=False, before=False) == {
        0: Span(0, 10, begins=True, goes_on=False),
        1: Span(5, 5, begins=False, goes_on=False),
        2: Span(3, 9, begins=False, goes_on=False),  # what was before is deleted: its windows may be cut
    }


def test_a_range_of_times_is_what_kafka_finds_for_them() -> None:
    logs = {
        0: Held(0, 10, since=4, before=8),
        1: Held(0, 10, since=None, before=None),
        2: Held(0, 10, since=0, before=None),
    }
    spans = by_time(logs, since=True, before=True)
    assert [(span.first, span.end) for span in spans.values()] == [(4, 8), (10, 10), (0, 10)]


def test_a_span_never_ends_before_it_begins() -> None:
    assert by_time({0: Held(0, 10, since=6, before=2)}, since=True, before=True)[0].end == 6


def test_of_offsets_only_the_partitions_named_are_read_both_ends_included() -> None:
    logs = {0: Held(0, 10), 1: Held(5, 20), 2: Held(0, 1)}
    assert by_offset(logs, {0: OffsetRange(2, 4), 1: OffsetRange(None, None)}) == {
        0: Span(2, 5, begins=False, goes_on=True),
        1: Span(5, 20, begins=False, goes_on=False),
    }


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({3: OffsetRange(0, None)}, "there is no partition 3; there are 0 to 2"),
        ({1: OffsetRange(2, None)}, "partition 1 begins at offset 5, what was before is deleted: ask for 1:5-"),
        ({0: OffsetRange(0, 10)}, "partition 0 ends at offset 9: ask for 0:0-"),
        ({0: OffsetRange(10, None)}, "partition 0 ends at offset 9: ask for 0:0-"),
        ({0: OffsetRange(4, 5000)}, "partition 0 ends at offset 9: ask for 0:4-"),
        ({1: OffsetRange(2, 8)}, "ask for 1:5-8"),
        ({2: OffsetRange(0, None)}, "partition 2 holds no record; leave it out"),
    ],
)
def test_what_the_log_does_not_hold_is_one_line_with_what_it_holds(wanted: dict[int, OffsetRange], words: str) -> None:
    with pytest.raises(ReplayError, match=words):
        by_offset({0: Held(0, 10), 1: Held(5, 20), 2: Held(0, 0)}, wanted)
