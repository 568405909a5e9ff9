"""What `make up` prints for `status`, `audit` and `replay`: all that its workers are told."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from demo.scenario import Plan
from demo.services import Installation
from stream_app.settings import load_settings


def test_the_exported_settings_are_those_of_the_workers_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan(window=timedelta(seconds=7))
    at = Installation(tmp_path, "flights", "127.0.0.1:9092", "redis://127.0.0.1:1/0", 1, 2, plan, lateness=3.0)
    exported = at.stream_settings()
    assert at.secret not in exported.values()
    for name, value in exported.items():
        monkeypatch.setenv(name, value)
    found = load_settings()
    assert (found.bootstrap, found.window_seconds, found.lateness_seconds) == ("127.0.0.1:9092", 7, 3.0)
    assert found.idle_seconds == at.idle
