"""Every page of help is whole on a terminal of 80 columns: what does not fit there ends in a sign for "more"."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from api.__main__ import cli as api
from bench.harness import BENCHMARKS, command_line
from demo.__main__ import app as demo
from stream_app.__main__ import cli as stream
from training.__main__ import app as training

APPS = {"api": api, "stream_app": stream, "training": training, "demo": demo, "bench": command_line(BENCHMARKS)}


def pages(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, below in getattr(command, "commands", {}).items():
        yield from pages(below, (*path, name))


@pytest.mark.parametrize(
    ("app", "path"),
    [
        pytest.param(app, path, id=" ".join((package, *path)))
        for package, app in APPS.items()
        for path in pages(get_command(app))
    ],
)
def test_nothing_is_cut_at_80_columns(app: typer.Typer, path: tuple[str, ...]) -> None:
    told = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "80", "TERM": "dumb"})
    assert told.exit_code == 0, told.output
    assert max(map(len, told.output.splitlines())) <= 80
    assert "…" not in told.output
