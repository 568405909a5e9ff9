"""Every service tells of a variable that is nearly one of its settings, and of none that this repository sets."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings
from typer.testing import CliRunner

import api.settings
import stream_app.alerting
import stream_app.settings
import training.settings
from stream_app.__main__ import cli as stream_cli
from stream_app.alerting import sink
from stream_app.alerting.settings import SinkSettings
from training.__main__ import app as training_cli

ROOT = Path(__file__).parents[2]
SETTING = re.compile(r"\b(?:API|STREAM|SINK|TRAINING)_[A-Z0-9_]*[A-Z0-9]\b")
SLIPS: tuple[Callable[[Iterable[str]], Iterator[str]], ...] = (
    api.settings.slips,
    stream_app.settings.slips,
    sink.slips,
    training.settings.slips,
)
STREAM_SLIP = "STREAM_WINDOWS_SECONDS is no setting; did you mean STREAM_WINDOW_SECONDS?"


def test_nothing_that_the_repository_names_is_complained_of() -> None:
    files = [ROOT / "README.md", ROOT / "Makefile", *(ROOT / "compose").rglob("*")]
    for room in ("demo", "bench", "docs"):
        files += [*(ROOT / room).rglob("*.py"), *(ROOT / room).rglob("*.md")]
    names = {
        name for file in files if file.is_file() and file.suffix != ".pyc" for name in SETTING.findall(file.read_text())
    }
    names = {name for name in names if not name.startswith("SINK_NAME_")}  # stands for any sink's on the page
    assert len(names) > 100
    assert [line for slips in SLIPS for line in slips(names)] == []


def test_every_sink_names_its_settings() -> None:
    found = set()
    for module in pkgutil.iter_modules(stream_app.alerting.__path__, "stream_app.alerting."):
        for one in vars(importlib.import_module(module.name)).values():
            if isinstance(one, type) and issubclass(one, BaseSettings) and one.model_config.get("env_prefix"):
                found.add(one)
    named = {one.settings for one in sink.SINKS if one.settings is not None}
    assert found - {stream_app.settings.StreamSettings, SinkSettings} == named


@pytest.mark.parametrize(
    "command",
    [
        *(["worker"], ["performance"], ["topics"], ["audit"], ["status"], ["reports"], ["mutes"]),
        ["replay", "--from", "2026-01-31T12:00:00Z"],
        *(["sink", "log"], ["sink", "replay"]),
    ],
)
def test_every_command_of_the_stream_tells_it_once(command: list[str]) -> None:
    given = {"STREAM_BOOTSTRAP": None, "SINK_BOOTSTRAP": None, "STREAM_WINDOWS_SECONDS": "60"}
    ended = CliRunner().invoke(stream_cli, command, env=given)
    assert ended.exit_code == 2, ended.output
    assert ended.stderr.count(STREAM_SLIP) == 1
    assert ended.stdout == ""


def test_a_sink_tells_of_its_own_and_of_a_misspelt_sink() -> None:
    given = {"STREAM_BOOTSTRAP": None, "SINK_ATEMPTS": "3", "SINK_WEBHOK_SECRET": "whsec_eA=="}
    ended = CliRunner().invoke(stream_cli, ["sink", "log"], env=given)
    assert "sink log: SINK_ATEMPTS is no setting; did you mean SINK_ATTEMPTS?" in ended.stderr
    assert "sink log: SINK_WEBHOK_SECRET is no setting; did you mean SINK_WEBHOOK_SECRET?" in ended.stderr
    assert "whsec" not in ended.stderr


def test_training_tells_it_once(tmp_path: Path) -> None:
    given = {
        "TRAINING_TRACKING_URL": f"sqlite:///{tmp_path}/x.db",
        "TRAINING_TRACKING_URI": f"sqlite:///{tmp_path}/y.db",
    }
    ended = CliRunner().invoke(training_cli, ["alias", "challenger", "1", "--model", "m"], env=given)
    assert ended.exit_code == 2, ended.output
    line = "warning: TRAINING_TRACKING_URL is no setting; did you mean TRAINING_TRACKING_URI?"
    assert ended.stderr.splitlines().count(line) == 1
