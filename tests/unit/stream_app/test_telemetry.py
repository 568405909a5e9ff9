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
