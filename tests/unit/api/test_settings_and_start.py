"""Settings, and what `python -m api` says when it cannot start."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.__main__ import describe_settings
from api.errors import SettingsError
from api.serving import bind
from api.settings import ApiSettings, slips
from tests.serving import settings_for

ROOT = Path(__file__).parents[3]


def start(directory: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run it with these settings and no others; it is expected to end by itself."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("API_")}
    command = [sys.executable, "-m", "api"]
    environment |= {"PYTHONPATH": str(ROOT), **settings}
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=120)


NEEDED = {"API_MODEL": "flights", "API_TRACKING_URI": "sqlite:///x.db", "API_BOOTSTRAP": "127.0.0.1:1"}


def test_missing_settings_stop_the_start_with_one_line_that_names_them(tmp_path: Path):
    ended = start(tmp_path)

    assert ended.returncode == 2
    assert ended.stderr == "api: API_MODEL is not set; API_TRACKING_URI is not set; API_BOOTSTRAP is not set\n"


def test_a_variable_that_is_nearly_a_setting_is_told_once(tmp_path: Path):
    (tmp_path / "outbox" / "00" / "epoch").mkdir(parents=True)

    ended = start(
        tmp_path,
        **NEEDED,
        API_PORT="0",
        API_WORKER="3",
        API_GATEWAY="x",
        API_LOG_FORMAT="text",
        API_OUTBOX_DIR="outbox",
    )

    assert [line for line in ended.stderr.splitlines() if "no setting" in line] == [
        next(
            line
            for line in ended.stderr.splitlines()
            if line.endswith("API_WORKER is no setting; did you mean API_WORKERS?")
        )
    ]
    assert "API_GATEWAY" not in ended.stderr


def test_a_slip_in_a_setting_that_is_required_is_told_with_what_is_missing(tmp_path: Path):
    ended = start(tmp_path, **{("API_MODLE" if name == "API_MODEL" else name): given for name, given in NEEDED.items()})

    assert ended.returncode == 2
    assert ended.stderr == "api: API_MODLE is no setting; did you mean API_MODEL?\napi: API_MODEL is not set\n"


def test_only_what_is_nearly_a_setting_is_taken_for_a_slip():
    right = [f"API_{name.upper()}" for name in ApiSettings.model_fields]

    assert list(slips([*right, "api_workers", "API_SERVICE_HOST", "API_PORT_8000_TCP", "WORKER"])) == []
    assert list(slips(["API_MODEL_ALAIS", "API_WORKER"])) == [
        "API_MODEL_ALAIS is no setting; did you mean API_MODEL_ALIAS?",
        "API_WORKER is no setting; did you mean API_WORKERS?",
    ]


def test_a_refused_address_is_named_but_not_printed(tmp_path: Path):
    ended = start(tmp_path, **NEEDED, API_REDIS_URL="user:sesame@redis:6379")

    assert ended.returncode == 2
    assert "API_REDIS_URL" in ended.stderr
    assert "sesame" not in ended.stderr


def test_a_wrong_setting_stops_the_start_with_one_line_that_names_it(tmp_path: Path):
    ended = start(tmp_path, **NEEDED, API_PORT="eighty")

    assert ended.returncode == 2
    assert ended.stderr.startswith("api: API_PORT: Input should be a valid integer")
    assert ended.stderr.endswith("(it is 'eighty')\n")
    assert ended.stderr.count("\n") == 1


def test_an_address_of_redis_that_is_none_is_named_and_not_repeated(tmp_path: Path):
    ended = start(tmp_path, **NEEDED, API_PORT="0", API_REDIS_URL="redis://:secret@localhost:port/0")

    assert ended.returncode == 2
    assert ended.stderr == "api: API_REDIS_URL: Port could not be cast to integer value as 'port'\n"


def test_an_outbox_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "outbox" / "00" / "epoch").mkdir(parents=True)

    ended = start(tmp_path, **NEEDED, API_PORT="0", API_OUTBOX_DIR="outbox")

    assert ended.returncode == 2
    assert ended.stderr.startswith("api: API_OUTBOX_DIR: outbox/00 cannot be used: Is a directory")


def test_a_taken_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(
            SettingsError, match=rf"API_PORT: cannot listen on 127.0.0.1:{port}: Address already in use"
        ):
            bind("127.0.0.1", port)


def test_settings_cannot_be_changed_afterwards(tmp_path: Path):
    with pytest.raises(ValidationError, match="frozen"):
        settings_for(tmp_path).port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bootstrap", "kafka"),
        ("bootstrap", ""),
        ("redis_url", "127.0.0.1:6379"),
        ("outbox_sync", "never"),
        ("batch_rows", 0),
        ("body_limit_bytes", 1 << 30),
        ("topic_prefix", "a b"),
    ],
)
def test_settings_are_checked(tmp_path: Path, name: str, value: object):
    with pytest.raises(ValidationError, match=name):
        settings_for(tmp_path, **{name: value})


def test_every_setting_is_described():
    text = describe_settings()

    for name, field in ApiSettings.model_fields.items():
        assert f"API_{name.upper()} (" in text
        assert field.description, name


def test_several_workers_that_cannot_start_say_so_once(tmp_path: Path):
    ended = start(tmp_path, **NEEDED, API_PORT="0", API_WORKERS="3", API_REDIS_URL="redis://:secret@localhost:port/0")

    assert ended.returncode == 2
    said = [line for line in ended.stderr.splitlines() if line.startswith("api: ")]
    assert said == ["api: API_REDIS_URL: Port could not be cast to integer value as 'port'"]
    assert "Traceback" not in ended.stderr


def test_a_port_that_is_taken_stops_several_workers_too(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = start(tmp_path, **NEEDED, API_PORT=str(taken.getsockname()[1]), API_WORKERS="2")

    assert ended.returncode == 2
    assert "Address already in use" in ended.stderr


@pytest.mark.parametrize("package", ["api", "training"])
def test_onnxruntime_reports_to_nobody(package: str, tmp_path: Path):
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    asked = f"import {package}.__main__, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    ended = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.stdout == "1\n"
