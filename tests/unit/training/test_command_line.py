"""The command line: whatever is wrong is one line on stderr and exit status 2, never a traceback."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from contracts.baseline import Baseline
from tests.unit.training.rows import described, some_loans
from training.__main__ import app
from training.errors import SettingsError
from training.revision import UNKNOWN, code_revision
from training.settings import read_settings

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the command line with these TRAINING_* settings and no others."""

    def invoke(*arguments: str | Path, **settings: str) -> Result:
        environment = {"TRAINING_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db", "TRAINING_BOOTSTRAP": ""}
        return CliRunner().invoke(app, [str(argument) for argument in arguments], env=environment | settings)

    return invoke


def refused(result: Result, says: str) -> None:
    assert result.exit_code == 2, result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    assert says in lines[0]


def a_closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_help_tells_a_newcomer_what_there_is(run: Run) -> None:
    assert "train" in run("--help").output
    assert "--estimator" in run("train", "--help").output
    assert "--score-column" in run("baseline", "--help").output


def test_data_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    refused(run("train", "--data", tmp_path / "nowhere", "--model", "m"), "nowhere: no such file")


def test_data_with_one_class_is_refused_before_anything_is_registered(run: Run, tmp_path: Path) -> None:
    folder = described(tmp_path, some_loans().assign(defaulted=0))
    refused(run("train", "--data", folder, "--model", "m"), "a classifier needs both classes")
    assert not (tmp_path / "mlflow.db").exists()


def test_an_unknown_estimator_is_refused_before_anything_is_registered(run: Run, tmp_path: Path) -> None:
    folder = described(tmp_path, some_loans())
    result = run("train", "--data", folder, "--model", "m", "--estimator", "xgb")
    refused(result, "no estimator 'xgb': choose one of hgb, logistic, forest")
    assert not (tmp_path / "mlflow.db").exists()


def test_a_broker_that_is_away_is_found_out_before_training(run: Run, tmp_path: Path) -> None:
    folder = described(tmp_path, some_loans())
    bootstrap = f"127.0.0.1:{a_closed_port()}"
    result = run("train", "--data", folder, "--model", "m", TRAINING_BOOTSTRAP=bootstrap)
    refused(result, f"Kafka at {bootstrap}")
    assert not (tmp_path / "mlflow.db").exists()


def test_a_bootstrap_that_is_no_address_is_refused(run: Run, tmp_path: Path) -> None:
    folder = described(tmp_path, some_loans())
    refused(run("train", "--data", folder, "--model", "m", TRAINING_BOOTSTRAP="localhost:kafka"), "localhost:kafka")


def test_a_setting_out_of_range_is_named() -> None:
    result = CliRunner().invoke(
        app, ["train", "--data", "x", "--model", "m"], env={"TRAINING_PUBLISH_TIMEOUT_SECONDS": "soon"}
    )
    refused(result, "TRAINING_PUBLISH_TIMEOUT_SECONDS='soon'")


def test_a_baseline_that_would_go_nowhere_says_where_it_could(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "reference.csv"
    some_loans().to_csv(file, index=False)
    result = run("baseline", "--reference", file, "--model", "m", "--version", "1")
    refused(result, "set TRAINING_BOOTSTRAP=host:port, or add --out FILE or --attach")


def test_a_baseline_for_any_model_is_written_with_what_was_inferred(run: Run, tmp_path: Path) -> None:
    file, out = tmp_path / "reference.csv", tmp_path / "baseline.json"
    some_loans().assign(score=0.25).to_csv(file, index=False)
    result = run(
        *("baseline", "--reference", file, "--model", "loans", "--version", "3"),
        *("--score-column", "score", "--threshold", "0.2", "--out", out),
    )
    assert result.exit_code == 0, result.output
    baseline = Baseline.from_bytes(out.read_bytes())
    assert baseline.key == "loans/3"
    assert set(baseline.features) == {"income", "region", "owner", "defaulted"}
    assert baseline.positives is not None
    assert baseline.positives.count == 400
    assert "income     numeric      numbers" in result.output
    assert "score      left out     the score" in result.output


@pytest.mark.parametrize("threshold", ["nan", "inf"])
def test_a_threshold_that_is_no_number_is_refused(run: Run, tmp_path: Path, threshold: str) -> None:
    folder = described(tmp_path, some_loans())
    result = run("train", "--data", folder, "--model", "m", "--threshold", threshold)
    refused(result, f"--threshold {threshold}: give a number")
    assert not (tmp_path / "mlflow.db").exists()


def test_a_seed_that_no_estimator_takes_is_refused(run: Run, tmp_path: Path) -> None:
    folder = described(tmp_path, some_loans())
    result = run("train", "--data", folder, "--model", "m", "--seed", str(2**32))
    assert result.exit_code == 2
    assert "--seed" in result.stderr


def test_an_unwritable_place_is_named(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "reference.csv"
    some_loans().to_csv(file, index=False)
    for out, says in [
        (file / "x.json", f"there is no directory {file}: make it, or name another file"),
        (tmp_path / "no" / "x.json", f"there is no directory {tmp_path / 'no'}: make it, or name another file"),
        (tmp_path, "that is a directory: name a file in it"),
    ]:
        result = run("baseline", "--reference", file, "--model", "m", "--version", "1", "--out", out)
        refused(result, f"--out {out}: {says}")
    assert not (tmp_path / "no").exists()


def test_the_code_revision_is_the_setting_or_gits_or_unknown(tmp_path: Path) -> None:
    assert code_revision("v1.2-from-the-image", tmp_path) == "v1.2-from-the-image"
    assert code_revision(None, tmp_path) == UNKNOWN


def test_settings_have_defaults_that_need_no_server(tmp_path: Path) -> None:
    settings = read_settings()
    assert settings.tracking_uri.startswith("sqlite:///")


def test_settings_cannot_be_changed_once_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        read_settings().experiment = "other"  # type: ignore[misc]
    assert issubclass(SettingsError, Exception)
