"""The outage of `bench api` in words."""

from __future__ import annotations

import msgspec
import pytest

from bench.api.outage import FULL, QUICK, Course, Outage, line

FOUND = Outage(
    away_seconds=62.5,
    requests_per_second=12_000.4,
    p50_ms=0.9,
    p99_ms=2.44,
    max_ms=16.0,
    failed=0,
    most_pending_mb=731.6,
    drained_seconds=48.6,
    after_load_seconds=0.1,
)


@pytest.mark.parametrize("course", [FULL, QUICK, Course(0.6, 0.7, 0.9)])
def test_the_load_lasts_whole_seconds_as_its_tool_takes_them(course: Course) -> None:
    assert course.seconds == int(course.seconds) > course.away


def test_it_says_when_all_was_published_beside_the_load() -> None:
    said = line(FOUND)
    assert "Kafka killed for 62 s under 12,000 requests/s: 0 failed" in said
    assert "732 MB waited at most; all was published 49 s after it was back, while the load went on" in said


def test_it_says_that_the_load_had_ended_before_all_was_published() -> None:
    late = msgspec.structs.replace(FOUND, drained_seconds=None, after_load_seconds=30.2)
    assert line(late).endswith("all was published 30 s after the load had ended")
