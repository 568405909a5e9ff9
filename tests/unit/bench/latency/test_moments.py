"""What `bench latency` measures, on small loads that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bench.latency.load import Sent, drifts
from bench.latency.moments import Delay, counted, delay_of, passed, since_passed


def sent(*events: tuple[int, int, float]) -> Sent:
    """Events as (partition, offset, moment)."""
    partition, offset, moment = (np.array(column) for column in zip(*events, strict=True))
    return Sent(partition, offset, moment, np.zeros(1))


def test_quantiles_are_delays_that_occurred() -> None:
    assert delay_of([0.1, 0.3, 0.2]) == Delay(number=3, p50=200.0, p99=300.0, max=300.0)
    assert delay_of([0.001 * i for i in range(1, 101)]) == Delay(number=100, p50=50.0, p99=99.0, max=100.0)
    assert delay_of([0.0424]) == Delay(number=1, p50=42.4, p99=42.4, max=42.4)


def test_there_are_no_quantiles_of_nothing() -> None:
    with pytest.raises(ValueError, match="no delays"):
        delay_of([])


def test_an_event_is_counted_when_the_first_record_with_its_offset_or_a_later_one_is_seen() -> None:
    # offsets      0     1     2        records say: up to 0 seen at 10.5, up to 2 seen at 11.0
    events = sent((0, 0, 10.0), (0, 1, 10.2), (0, 2, 10.4))
    delays = counted(events, {0: [(0, 10.5), (2, 11.0)]}, 0, 99)
    assert delays == pytest.approx([0.5, 0.8, 0.6])


def test_a_record_that_is_written_again_with_a_lower_offset_takes_nothing_back() -> None:
    events = sent((0, 0, 10.0), (0, 1, 10.0))
    assert counted(events, {0: [(1, 10.5), (0, 11.0)]}, 0, 99) == pytest.approx([0.5, 0.5])


def test_only_events_of_the_span_count_and_each_of_them_must_be_counted() -> None:
    events = sent((0, 0, 1.0), (0, 1, 2.0), (0, 2, 3.0))
    assert counted(events, {0: [(1, 2.25)]}, 1.5, 2.5) == pytest.approx([0.25])
    with pytest.raises(ValueError, match="partition 0: 1 events never counted"):
        counted(events, {0: [(1, 2.25)]}, 1.5, 3.5)
    with pytest.raises(ValueError, match="partitions without any counted event"):
        counted(sent((0, 0, 1.0), (1, 0, 1.0)), {0: [(0, 1.5)]}, 0, 9)


def test_a_window_is_over_when_the_last_partition_has_an_event_beyond_its_end_and_the_lateness() -> None:
    # window ends at 10 s, lateness .5 s:                 partition 0 passes at 10.6, partition 1 at 11.2
    events = sent((0, 0, 9.0), (0, 1, 10.6), (1, 0, 10.4), (1, 1, 11.2), (0, 2, 12.0))
    assert passed(events, [10_000], 500) == {10_000: 11.2}


def test_an_event_exactly_at_end_and_lateness_passes_it() -> None:
    assert passed(sent((0, 0, 10.5)), [10_000], 500) == {10_000: 10.5}


def test_a_window_that_one_partition_never_passed_is_left_out() -> None:
    assert passed(sent((0, 0, 20.0), (1, 0, 10.4)), [10_000], 500) == {}


def test_delays_are_taken_of_windows_that_were_passed() -> None:
    assert since_passed({10_000: 10.6}, [(10_000, 11.0), (12_000, 13.0)]) == pytest.approx([0.4])


def test_every_window_of_a_model_differs_from_the_one_before_so_each_ends_in_an_alert() -> None:
    for model in range(3):
        assert all(drifts(model, window) != drifts(model, window + 1) for window in range(10))
