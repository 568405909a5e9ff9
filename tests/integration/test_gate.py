"""The gates on real versions in a real MLflow store, by the command line and with events on a real broker."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from contracts.topics import MODEL_EVENTS
from tests.builders import a_model_version
from tests.gated import a_candidate, registered_at
from tests.servers.verbs import Broker
from training.__main__ import app
from training.gate import GATES, decode_gate_report
from training.reports.gate_files import GATE_TAG, JSON_FILE, MARKDOWN_FILE, OVERRIDE_TAG
from training.topics.model_events import ModelEvents

Run = Callable[..., Result]


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture
def run(tmp_path: Path, uri: str) -> Run:
    def invoke(*arguments: str | Path, **settings: str) -> Result:
        environment = {
            "TRAINING_TRACKING_URI": uri,
            "TRAINING_ARTIFACTS": str(tmp_path / "artifacts"),
            "TRAINING_BOOTSTRAP": "",
        }
        return CliRunner().invoke(app, [str(argument) for argument in arguments], env=environment | settings)

    return invoke


def refused(result: Result, says: str) -> None:
    assert result.exit_code == 2, result.output
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert says in result.stderr


async def test_a_version_is_gated_on_the_record_and_the_report_travels_with_it(
    uri: str, run: Run, tmp_path: Path, kafka: Broker, namespace: str, fresh_topic: Callable[..., Awaitable[str]]
) -> None:
    await fresh_topic(MODEL_EVENTS.name)
    a_candidate(uri, alias="champion")
    version = a_candidate(uri, seed=1)
    to = {"TRAINING_BOOTSTRAP": kafka.bootstrap, "TRAINING_TOPIC_PREFIX": namespace}
    import asyncio

    done = await asyncio.to_thread(run, "gate", "challenger", "--out", tmp_path / "out", "--by", "ann", **to)
    assert done.exit_code == 0, done.output
    assert "all 12 gates passed" in done.output
    assert "against champion 1" in done.output
    assert (
        "version 1 was fitted on rows of this test, which favours it: the same data, split with seed 0" in done.output
    )
    registered = registered_at(uri)
    there = registered.find(version)
    kept = registered.fetch(there, JSON_FILE)
    assert kept is not None
    assert kept == (tmp_path / "out" / "report.json").read_bytes()
    assert decode_gate_report(kept).by == "ann"
    assert registered.fetch(there, MARKDOWN_FILE) == (tmp_path / "out" / "report.md").read_bytes()
    assert registered.tags(there)[GATE_TAG] == "passed"
    (step,) = await asyncio.to_thread(ModelEvents(kafka.bootstrap, namespace, 15.0).read, "flights")
    assert (step.event.kind, step.event.version, step.event.previous, step.event.by) == ("gated", version, "1", "ann")
    assert step.event.details["status"] == "passed"
    assert set(step.event.details["findings"]) == {name for name, _ in GATES}  # type: ignore[arg-type]


def test_a_version_that_fails_ends_with_status_1_and_an_override_stays_on_record(uri: str, run: Run) -> None:
    version = a_candidate(uri, shuffled=True)
    done = run("gate", version, "--json")
    assert done.exit_code == 1, done.output
    report = decode_gate_report(done.stdout.encode())
    assert report.status == "failed"
    assert "quality" in report.failed
    refused(run("gate", version, "--override", "quality"), "--override needs --reason TEXT")
    refused(
        run("gate", version, "--override", "beauty", "--reason", "why"), "no gate of this name: choose one of schema"
    )
    overrides = [part for name in report.failed for part in ("--override", name)]
    forced = run("gate", version, *overrides, "--reason", "a drill", "--by", "ann")
    assert forced.exit_code == 0, forced.output
    assert "OVERRIDDEN" in forced.output
    again = run("gate", version, "--json")
    assert again.exit_code == 1
    assert [one.gate for one in decode_gate_report(again.stdout.encode()).overrides] == list(report.failed)
    registered = registered_at(uri)
    tags = registered.tags(registered.find(version))
    assert tags[GATE_TAG] == "failed"
    assert sorted(name.split(".")[2] for name in tags if name.startswith(OVERRIDE_TAG)) == sorted(report.failed)
    assert {value for name, value in tags.items() if name.startswith(OVERRIDE_TAG)} == {"ann: a drill"}


def test_a_champion_that_is_gone_from_the_registry_is_named_with_the_way_out(
    uri: str, run: Run, tmp_path: Path
) -> None:
    champion = a_candidate(uri, alias="champion")
    version = a_candidate(uri, seed=1)
    registered = registered_at(uri)
    registered.registry.client.delete_model_version("flights", champion)
    with sqlite3.connect(tmp_path / "mlflow.db") as database:  # MLflow drops the alias itself; other stores need not
        database.execute(
            "insert into registered_model_aliases (workspace, name, alias, version) values (?, ?, ?, ?)",
            ("default", "flights", "champion", champion),
        )
    refused(run("gate", version), "the alias champion of flights points to version 1, which is gone from MLflow")
    refused(run("gate", "champion"), "the alias 'champion' of flights points to version 1, which is gone")
    refused(
        run("promote", version), "version 2 has no gate report: run `python -m training gate 2`; or promote --override"
    )
    refused(run("rollback", "--to", version), "nothing on record says that flights/2 has been champion")
    healed = run("promote", version, "--override", "--reason", "1 was deleted")
    assert healed.exit_code == 0, healed.output
    assert registered.marks().champion == version


def test_what_is_missing_is_said_in_one_line(uri: str, run: Run, tmp_path: Path) -> None:
    refused(run("gate", "1"), f"MLflow at {uri}: there is no file")
    plain = a_model_version(uri, alias=None)
    refused(run("gate", plain), "flights/1 has no evaluation/evaluation.json: train it with `python -m training train")
    refused(run("gate", "9"), "flights has no version '9': there are 1")
    refused(run("gate", "challenger"), "flights has no version 'challenger': there are 1")
    refused(run("gate", "1", "--model", "ships"), "has no model 'ships': give --model its name")
    a_model_version(uri, model="payments", alias=None)
    refused(run("gate", "1"), "has the models flights, payments: give --model one of them")
    bad = tmp_path / "bad.yaml"
    bad.write_text("recall: {floor: 7}")
    refused(run("gate", "1", "--model", "flights", "--rules", bad), "recall.floor: expected `float` <= 1")
    (tmp_path / "file").write_text("")
    refused(run("gate", "1", "--out", tmp_path / "file"), "cannot be made a folder")


def test_a_champion_that_lacks_columns_is_no_way_around_the_comparison(uri: str, run: Run) -> None:
    from tests.builders import a_schema

    a_model_version(uri, schema=a_schema(numeric=("distance", "seats", "age")), alias="champion")
    version = a_candidate(uri)
    done = run("gate", version, "--json")
    assert done.exit_code == 1, done.output
    said = {one["gate"]: one for one in json.loads(done.stdout)["findings"]}
    assert said["schema"]["status"] == said["no-degradation"]["status"] == "failed"
    assert "it takes 'age', which these rows do not have" in said["no-degradation"]["says"]
