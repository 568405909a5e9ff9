"""What the two benchmarks of the stream refuse before anything is started."""

from __future__ import annotations

import pytest

from bench.benchmark import BenchError, Options
from bench.latency.run import LATENCY
from bench.stream.run import STREAM


def nothing(line: str) -> None:
    raise AssertionError(f"it has begun: {line}")


def test_a_load_too_short_or_too_thin_for_windows_is_refused() -> None:
    with pytest.raises(BenchError, match=r"--seconds 5: too short to see windows end, take 12 or more"):
        LATENCY.run(Options(seconds=5), nothing)
    with pytest.raises(BenchError, match=r"--rate 50: windows of 2 s need more events, take 200"):
        LATENCY.run(Options(rate=50), nothing)


def test_events_too_few_to_time_are_refused() -> None:
    with pytest.raises(BenchError, match=r"--events 100: too few to measure, take 20000 or more"):
        STREAM.run(Options(events=100), nothing)
