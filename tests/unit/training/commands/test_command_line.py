"""The command line: whatever is wrong is one line on stderr and exit status 2, never a traceback."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner, Result

from contracts.baseline import Baseline
from tests.unit.training.rows import DESCRIPTION, described, some_loans
from training.__main__ import app
from training.commands.train import next_line
from training.errors import SettingsError
from training.making.asked import asked_by_config
from training.making.revision import UNKNOWN, code_revision
from training.settings import Settings, read_settings

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


def test_the_last_line_of_train_is_the_command_that_goes_on_from_there() -> None:
    given = Settings(tracking_uri="sqlite:///a b.db", bootstrap="127.0.0.1:9092", topic_prefix="mine.")
    assert next_line("churn", "1", "champion", given) == (
        "next        serve it: API_MODEL=churn API_TRACKING_URI='sqlite:///a b.db' API_BOOTSTRAP=127.0.0.1:9092 "
        "API_TOPIC_PREFIX=mine. python -m api"
    )
    assert next_line("my model", "3", "challenger", given).endswith(
        ": python -m training gate 3 --model 'my model' && python -m training promote 3 --model 'my model'"
    )


def test_the_command_that_serves_names_what_is_still_to_be_given_and_no_password() -> None:
    unknown = next_line("m", "1", "champion", Settings(tracking_uri="sqlite:///x.db", bootstrap=None))
    assert unknown.startswith("next        serve it, with Kafka's address for HOST:PORT: API_MODEL=m ")
    assert "API_BOOTSTRAP=HOST:PORT" in unknown
    for secret in ("http://ml:sesame@mlflow:5000", "postgresql://db/mlflow?user=ml&password=sesame"):
        line = next_line("m", "1", "champion", Settings(tracking_uri=secret, bootstrap="127.0.0.1:9092"))
        assert 'API_TRACKING_URI="$TRAINING_TRACKING_URI" ' in line
        assert "sesame" not in line


def test_the_command_that_serves_has_every_setting_that_the_api_needs(tmp_path: Path) -> None:
    """The shell reads it as it stands; what it starts says its settings and does not serve."""
    uri = f"sqlite:///{tmp_path}/it's.db"
    command = next_line("my model", "1", "champion", Settings(tracking_uri=uri, bootstrap="127.0.0.1:9092"))
    asked = "from api.settings import load_settings as s; x = s(); print(x.model, x.tracking_uri, x.bootstrap, sep='|')"
    copied = command.split(": ", 1)[1].removesuffix("python -m api")
    ended = subprocess.run(
        ["sh", "-c", f'{copied} "$0" -c "$1"', sys.executable, asked], capture_output=True, text=True, check=True
    )
    assert ended.stdout == f"my model|{uri}|127.0.0.1:9092\n"


def test_every_wrong_setting_is_named(run: Run) -> None:
    refused(
        run("card", "1", "--model", "m", TRAINING_APPROVE="perhaps", TRAINING_BOOTSTRAP="kafka"),
        "TRAINING_BOOTSTRAP='kafka': 'kafka' is not host:port, for example 127.0.0.1:9092; TRAINING_APPROVE='perhaps'",
    )


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


@pytest.mark.parametrize("command", [("watch",), ("retrain", "--reason", "r")])
@pytest.mark.parametrize(("absent", "says"), [("time", "a base needs times"), ("label", "a base needs labels")])
def test_a_base_without_times_or_labels_is_refused_when_watch_starts(
    run: Run, tmp_path: Path, command: tuple[str, ...], absent: str, says: str
) -> None:
    (tmp_path / "training.yaml").write_text("model: loans\ndata: .\n")
    description = replace(DESCRIPTION, **{"time": "at", absent: None})
    base = described(tmp_path, some_loans().assign(at="2026-01-01T00:00:00Z"), description)
    result = run(*command, "--config", tmp_path / "training.yaml", "--base", base, TRAINING_BOOTSTRAP="127.0.0.1:1")
    refused(result, f"{base}: {says}")


def test_a_broker_that_is_away_is_found_out_before_training(run: Run, tmp_path: Path) -> None:
    folder = described(tmp_path, some_loans())
    bootstrap = f"127.0.0.1:{a_closed_port()}"
    result = run("train", "--data", folder, "--model", "m", TRAINING_BOOTSTRAP=bootstrap)
    refused(result, f"Kafka at {bootstrap}")
    assert not (tmp_path / "mlflow.db").exists()


def test_a_broker_that_is_away_is_told_in_one_line_alone() -> None:
    """In a process of its own: pytest's handlers would take what the library says."""
    ask = (
        "from training.commands.shell import one_line_errors\n"
        "from training.topics.model_events import ModelEvents\n"
        f"with one_line_errors(): ModelEvents('127.0.0.1:{a_closed_port()}', '', 15.0).check()\n"
    )
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr.startswith("error: Kafka at 127.0.0.1:")


def test_a_bootstrap_that_is_no_address_is_refused(run: Run, tmp_path: Path) -> None:
    folder = described(tmp_path, some_loans())
    refused(run("train", "--data", folder, "--model", "m", TRAINING_BOOTSTRAP="localhost:kafka"), "localhost:kafka")


@pytest.mark.parametrize(
    "command",
    [("gate", "1"), ("compare",), ("card", "1"), ("promote", "1"), ("rollback",), ("alias", "green", "1")],
    ids=lambda command: command[0],
)
def test_a_command_that_reads_a_registry_makes_none_of_a_mistyped_file(
    run: Run, tmp_path: Path, command: tuple[str, ...]
) -> None:
    uri = f"sqlite:///{tmp_path}/nowhere/mlfow.db"
    said = f"MLflow at {uri}: there is no file {tmp_path}/nowhere/mlfow.db: correct TRAINING_TRACKING_URI"
    refused(run(*command, "--model", "noshow", TRAINING_TRACKING_URI=uri), said)
    assert list(tmp_path.iterdir()) == []


def test_a_registry_server_that_is_not_there_is_said_at_once_in_a_whole_line(run: Run) -> None:
    uri = f"http://127.0.0.1:{a_closed_port()}"
    said = f"error: MLflow at {uri} cannot be opened: Connection refused: start it, or correct TRAINING_TRACKING_URI\n"
    assert run("gate", "1", TRAINING_TRACKING_URI=uri).stderr == said


@pytest.mark.parametrize("uri", ["mlflow.example.com:5000", "localhost:5000", "mlflow:5000/path", "mlflow.example.com"])
def test_a_registrys_address_without_a_scheme_is_told_to_add_it(run: Run, uri: str) -> None:
    refused(
        run("gate", "1", TRAINING_TRACKING_URI=uri), f"TRAINING_TRACKING_URI='{uri}': add http://, as in http://{uri} "
    )


@pytest.mark.parametrize(
    "uri", ["sqlite:///var/mlflow.db", "https://m.example.com/x", "./mlruns", "postgresql://u@h/db"]
)
def test_an_address_with_a_scheme_or_a_path_is_taken_as_it_is(uri: str) -> None:
    assert Settings(tracking_uri=uri).tracking_uri == uri


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


def a_config(folder: Path, **fields: str) -> Path:
    file = folder / "training.yaml"
    wanted = {"model": "loans", "data": ".", "jobs": "1", "estimator": "{name: logistic}", **fields}
    file.write_text("".join(f"{name}: {value}\n" for name, value in wanted.items()))
    return file


@pytest.mark.parametrize("name", ["a/b", "a:b", "", " m", "m\n"])
def test_a_model_name_that_no_key_can_hold_is_refused_before_the_fit(run: Run, tmp_path: Path, name: str) -> None:
    folder = described(tmp_path, some_loans())
    refused(run("train", "--data", folder, "--model", name), "--model")
    refused(run("train", "--config", a_config(folder), "--model", name), "--model")
    assert not (tmp_path / "mlflow.db").exists()


@pytest.mark.parametrize("alias", ["latest", "3", "v3", "the best", ""])
def test_an_alias_that_mlflow_would_refuse_is_refused_before_the_fit(run: Run, tmp_path: Path, alias: str) -> None:
    folder = described(tmp_path, some_loans())
    refused(run("train", "--data", folder, "--model", "m", "--alias", alias), "--alias")
    refused(run("train", "--config", a_config(folder), "--alias", alias), "--alias")
    assert not (tmp_path / "mlflow.db").exists()


def test_train_without_data_or_model_says_what_to_give(run: Run, tmp_path: Path) -> None:
    refused(run("train", "--model", "m"), "--data is missing: give --data FOLDER and --model NAME, or --config")
    refused(run("train", "--data", tmp_path), "--model is missing")


def test_options_that_the_configuration_holds_are_refused_beside_it(run: Run, tmp_path: Path) -> None:
    result = run("train", "--config", a_config(tmp_path), "--estimator", "forest")
    refused(result, "--estimator does not go with --config: set estimator in ")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"estimator": "{name: xgb}"}, "no estimator 'xgb'"),
        (
            {"estimator": "{name: logistic, params: {depth: 3}}"},
            "estimator.params.depth: logistic has no such parameter",
        ),
        ({"search": "{space: {depth: [3]}}"}, "search.space.depth: logistic has no such parameter"),
        ({"window": "1 fortnight"}, "training.yaml: window"),
        ({"split": "{by: day}"}, "split.by: invalid enum value 'day'"),
        ({"data": "nowhere"}, "nowhere: no such file"),
        ({"segments": "[branch]"}, "no column 'branch' that segments names"),
    ],
)
def test_a_configuration_that_is_wrong_is_refused_before_anything_is_opened(
    run: Run, tmp_path: Path, fields: dict[str, str], says: str
) -> None:
    folder = described(tmp_path, some_loans())
    refused(run("train", "--config", a_config(folder, **fields)), says)
    assert not (tmp_path / "mlflow.db").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda loans: loans.drop(columns="defaulted"), "no column 'defaulted' that the description calls the label"),
        (lambda loans: loans.assign(defaulted=1), "label 'defaulted' is 1 in every row"),
        (lambda loans: loans.assign(defaulted=([1] * 3 + [0] * 397)), "label 'defaulted' is 1 in 3 rows only"),
        (lambda loans: loans.assign(defaulted=([1] * 12 + [0] * 388)), "label 1 is in 12 rows only: at least"),
        (lambda loans: loans.assign(income=None), "feature 'income' has no value at all"),
        (lambda loans: loans.assign(income=loans["defaulted"] * 2.0), "feature 'income' alone has an AUC of 1.0000"),
    ],
)
def test_data_that_nothing_can_be_learnt_from_is_refused_before_anything_is_opened(
    run: Run, tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], says: str
) -> None:
    folder = described(tmp_path, change(some_loans()))
    refused(run("train", "--config", a_config(folder)), says)
    assert not (tmp_path / "mlflow.db").exists()


def test_the_command_line_goes_before_the_configuration(tmp_path: Path) -> None:
    file, now = a_config(tmp_path, seed="3", window="1h"), datetime(2026, 1, 1, tzinfo=UTC)
    plan = asked_by_config(file, None, None, None, None, {}, "r", now)
    assert (plan.data, plan.model, plan.seed, plan.alias) == (tmp_path / ".", "loans", 3, "challenger")
    assert plan.window == 3_600_000
    other = asked_by_config(file, tmp_path / "new", "other", 9, "champion", {}, "r", now)
    assert (other.data, other.model, other.seed, other.alias) == (tmp_path / "new", "other", 9, "champion")
    assert other.config is not None
    assert (other.config.seed, other.config.model) == (9, "other")


def test_the_champion_is_not_an_alias_to_be_moved_by_hand(run: Run) -> None:
    refused(run("alias", "champion", "2"), "python -m training promote VERSION")


def test_an_alias_that_mlflow_would_take_for_a_version_is_refused(run: Run) -> None:
    refused(run("alias", "v7", "2"), "MLflow takes this for a version")
