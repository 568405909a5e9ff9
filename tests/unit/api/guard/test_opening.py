"""What the log says at the start of who is let in: once, and as a warning where it should worry somebody."""

import logging
from pathlib import Path

import pytest

from api.guard.opening import open_guard, say_who_is_let_in
from api.telemetry import Telemetry
from tests.keys import an_entry, write_keys


def said(path: Path | None, host: str, caplog: pytest.LogCaptureFixture) -> tuple[int, str]:
    guard, follower = open_guard(path, Telemetry(), waiting=lambda: 0, max_waiting=1)
    assert (follower is None) == (path is None)
    with caplog.at_level(logging.INFO):
        say_who_is_let_in(guard, host)
    (record,) = caplog.records
    return record.levelno, record.getMessage()


def test_without_keys_on_this_machine_alone_it_is_said(caplog: pytest.LogCaptureFixture):
    level, text = said(None, "127.0.0.1", caplog)

    assert level == logging.INFO
    assert "API_KEYS_FILE" in text


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "api.internal"])
def test_without_keys_where_others_can_reach_it_it_is_a_warning(host: str, caplog: pytest.LogCaptureFixture):
    level, text = said(None, host, caplog)

    assert level == logging.WARNING
    assert host in text
    assert "API_KEYS_FILE" in text


def test_with_keys_their_number_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = write_keys(tmp_path / "keys.json", [an_entry(1), an_entry(2)])

    assert said(path, "0.0.0.0", caplog) == (logging.INFO, "keys: 2 in force")


def test_a_file_without_keys_locks_everybody_out_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    level, text = said(write_keys(tmp_path / "keys.json", []), "127.0.0.1", caplog)

    assert level == logging.WARNING
    assert "nobody is let in" in text
