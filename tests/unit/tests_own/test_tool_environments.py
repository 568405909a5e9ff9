"""An environment of a tool's own is made once, by one process, whole or not at all."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.tool_environments import NoTool, cache_directory, python_with


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_an_environment_is_made_once_for_the_same_requirements_and_anew_for_others(tmp_path: Path) -> None:
    requirements = tmp_path / "tool.txt"
    requirements.write_text("# nothing\n")
    with ThreadPoolExecutor(2) as both:
        one, other = both.map(python_with, [requirements] * 2)
    assert one == other
    assert one.is_file()
    made = (one.parents[1] / "ready").stat().st_mtime_ns
    assert python_with(requirements) == one
    assert (one.parents[1] / "ready").stat().st_mtime_ns == made
    requirements.write_text("# nothing else\n")
    assert python_with(requirements) != one


def test_what_a_killed_run_left_is_made_anew(tmp_path: Path) -> None:
    requirements = tmp_path / "tool.txt"
    requirements.write_text("")
    python = python_with(requirements)
    (python.parents[1] / "ready").unlink()
    (python.parents[1] / "half").touch()
    assert python_with(requirements) == python
    assert not (python.parents[1] / "half").exists()


def test_what_cannot_be_installed_is_one_line_and_nothing_stays(tmp_path: Path) -> None:
    requirements = tmp_path / "tool.txt"
    requirements.write_text(f"tool @ file://{tmp_path}/none.whl --hash=sha256:{'0' * 64}\n")
    with pytest.raises(NoTool, match=r"^tool\.txt cannot be installed into .*: check the network, and pip's settings$"):
        python_with(requirements)
    assert [file.suffix for file in cache_directory().iterdir()] == [".claim"]
