"""`python -m api aside`: a directory that is not there is not called empty."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.publishing.commands import aside


def test_where_nothing_lies_aside_the_list_says_so(tmp_path: Path) -> None:
    found = CliRunner().invoke(aside, ["list", "--directory", str(tmp_path)])
    assert (found.exit_code, found.stdout, found.stderr) == (0, "", f"nothing lies aside in {tmp_path}\n")


@pytest.mark.parametrize("command", [["list"], ["send", "--bootstrap", "127.0.0.1:1"]])
def test_an_outbox_that_is_not_there_is_named(tmp_path: Path, command: list[str]) -> None:
    found = CliRunner().invoke(aside, [*command, "--directory", str(tmp_path / "none")])
    assert (found.exit_code, found.stdout) == (2, "")
    assert f"there is no outbox directory {tmp_path / 'none'}: correct API_OUTBOX_DIR or --directory" in found.stderr
