"""The container that writes the example data: into an empty folder, and over nobody's own data."""

import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
SERVICE = yaml.safe_load((ROOT / "compose" / "compose.yaml").read_text())["services"]["example"]


def example(folder: Path) -> str:
    """Run the container's own program, with another folder."""
    program = SERVICE["command"][0].replace("/var/lib/tidemark/data", str(folder))
    assert str(folder) in program
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_an_empty_folder_gets_the_example(tmp_path: Path) -> None:
    assert example(tmp_path) == f"written: {tmp_path}/dataset.toml\n"
    assert {file.name for file in tmp_path.iterdir()} == {"dataset.toml", "reference.parquet"}


def test_a_users_own_data_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "dataset.toml").write_text("mine")

    assert example(tmp_path) == "found, left as it is\n"

    assert (tmp_path / "dataset.toml").read_text() == "mine"
    assert [file.name for file in tmp_path.iterdir()] == ["dataset.toml"]
