"""The series of a worker."""

from __future__ import annotations

import urllib.request

import pytest

from stream_app.errors import SettingsError
from stream_app.telemetry import Telemetry


def test_two_workers_in_one_process_do_not_share_their_series() -> None:
    one, other = Telemetry(), Telemetry()
    one.gaps.inc()
    assert other.registry.get_sample_value("tidemark_stream_gaps_total") == 0


def test_the_series_are_served_and_a_taken_port_is_said_in_one_line() -> None:
    telemetry = Telemetry()
    telemetry.events.labels("late").inc(3)
    port = telemetry.serve(0)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        assert b'tidemark_stream_events_total{outcome="late"} 3.0' in answer.read()
    with pytest.raises(SettingsError, match=rf"STREAM_METRICS_PORT: cannot listen on port {port}"):
        Telemetry().serve(port)


def test_what_never_happened_is_nought_and_not_absent() -> None:
    value = Telemetry().registry.get_sample_value
    assert value("tidemark_stream_holes_total", {"why": "deleted"}) == 0
    assert value("tidemark_stream_dead_letters_total", {"reason": "unknown-version"}) == 0
    assert value("tidemark_stream_events_total", {"outcome": "late"}) == 0


def test_partitions_that_were_lost_have_no_series_any_more() -> None:
    telemetry = Telemetry()
    gauges = (
        *(telemetry.open_windows, telemetry.watermark_delay, telemetry.lag),
        *(telemetry.uncommitted, telemetry.pending_windows),
    )
    for gauge in gauges:
        gauge.labels("3").set(7)
    telemetry.rebalance_began(now=100.0)
    telemetry.lag.labels("3").set(7)  # measured while it was taken away
    telemetry.rebalance_ended(now=101.0)
    telemetry.lag.labels("5").set(1)
    labels = {sample.labels["partition"] for gauge in gauges for metric in gauge.collect() for sample in metric.samples}
    assert labels == {"5"}


def test_the_time_that_a_worker_stands_still_is_measured_from_the_first_rebalance_to_counting_again() -> None:
    telemetry = Telemetry()
    value = telemetry.registry.get_sample_value
    telemetry.rebalance_began(now=100.0)
    telemetry.rebalance_began(now=103.0)  # another one, before the first was over
    assert value("tidemark_stream_ready") == 0
    telemetry.rebalance_ended(now=104.5)
    assert value("tidemark_stream_ready") == 1
    assert value("tidemark_stream_recovery_seconds_sum") == 4.5
    assert (value("tidemark_stream_recovery_seconds_count"), value("tidemark_stream_rebalances_total")) == (1, 2)
    telemetry.rebalance_ended(now=200.0)
    assert value("tidemark_stream_recovery_seconds_count") == 1
