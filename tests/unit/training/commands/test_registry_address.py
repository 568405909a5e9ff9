"""The command line says what is wrong with the registry's address in one line, and never its password.

Each in a process of its own: MLflow keeps the address, and a traceback or a library's line would be seen, too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).parents[4]


def said_of(uri: str, folder: Path) -> str:
    """By `alias`, the line after `error: `; everything else that is printed fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TRAINING_", "MLFLOW_"))}
    done = subprocess.run(
        [sys.executable, "-m", "training", "alias", "green", "1", "--model", "m"],
        cwd=folder,
        env=environment | {"TRAINING_TRACKING_URI": uri, "PYTHONPATH": str(_REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "sesame" not in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.removeprefix("error: ")


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("http://ml:sesame@127.0.0.1:1", "MLflow at http://...@127.0.0.1:1 cannot be opened: Connection refused"),
        (
            "db.example.com:5432/mlflow?password=sesame",
            "TRAINING_TRACKING_URI='db.example.com:5432/mlflow?...': add http://, as in "
            "http://db.example.com:5432/mlflow?... (",
        ),
        ("nosuch://ml:sesame@db/x", "MLflow at nosuch://...@db/x cannot be opened: "),
        ("ml:sesame@db:5432/mlflow", "MLflow at ...@db:5432/mlflow cannot be opened: "),
        ("postgresql:ml:sesame@db/x", "MLflow at ...@db/x cannot be opened: "),
        ("sqlite:///no.db?key=sesame", "MLflow at sqlite:///no.db?...: there is no file "),
    ],
)
def test_a_password_is_printed_by_nobody(uri: str, says: str, tmp_path: Path) -> None:
    assert said_of(uri, tmp_path).startswith(says)


def test_a_driver_that_is_not_installed_is_named_with_what_installs_it(tmp_path: Path) -> None:
    """MySQL's, which no requirements of ours bring."""
    assert said_of("mysql+pymysql://ml:sesame@db/x", tmp_path) == (
        "MLflow at mysql+pymysql://...@db/x cannot be opened: the Python package PyMySQL is not installed: "
        "pip install PyMySQL (TRAINING_TRACKING_URI)\n"
    )
