"""dvc.yaml stage by stage, its commands as they stand there, against a real MLflow store; and what one can ask then.

DVC itself is no dependency of the tests (168 MB): what it adds is to skip what has not changed.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from typer.testing import CliRunner, Result

from contracts.model_files import BASELINE_FILE
from tests.unit.training.rows import described, some_loans
from training.__main__ import app
from training.evaluation.record import EVALUATION_FOLDER
from training.making.recorded import SOURCE_TAG
from training.registry.registered import Registered
from training.registry.store import Registry
from training.reports.card_files import CARD_FILE, evaluation_in

ROOT = Path(__file__).parents[2]
STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS: dict[str, str] = yaml.safe_load((ROOT / "params.yaml").read_text())
OURS = {"model": "loans", "data": "var/loans"}
CONFIG = """
model: loans
data: var/loans
seed: 4
jobs: 1
folds: 3
estimator: {name: logistic}
search: {candidates: 3, folds: 2, space: {C: {low: 0.01, high: 10.0, log: true}}}
calibration: sigmoid
pictures: {importance: 200}
card: {purpose: who pays back, owner: the tests}
"""


@dataclass(frozen=True)
class Place:
    """A folder in which the stages run, as in a clone with data of its own."""

    folder: Path

    @property
    def registered(self) -> Registered:
        registry = Registry(f"sqlite:///{self.folder}/var/mlflow/mlflow.db", self.folder / "artifacts", "tidemark")
        registry.open()
        return Registered(registry, "loans")

    def fetch(self, path: str, version: str = "1") -> bytes:
        registered = self.registered
        found = registered.fetch(registered.find(version), path)
        assert found is not None
        return found


def arguments(stage: str) -> list[str]:
    """Of `python -m training`, with what DVC and the shell put in. The working directory is that of the stages."""
    said = re.sub(r"\$\{(\w+)\}", lambda found: {**PARAMS, **OURS}[found[1]], str(STAGES[stage]["cmd"]))
    said = re.sub(r"\$\(cat ([\w/]+)\)", lambda found: Path(found[1]).read_text(), said)
    python, dash_m, module, *rest = shlex.split(said)
    assert (python, dash_m, module) == ("python", "-m", "training")
    return rest


def outs(stage: str) -> list[str]:
    found = [*STAGES[stage].get("outs", ()), *STAGES[stage].get("metrics", ())]
    return [one if isinstance(one, str) else next(iter(one)) for one in found]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """All stages have run, but for the one that makes the example's data."""
    folder = tmp_path_factory.mktemp("clone")
    (folder / "var" / "loans").mkdir(parents=True)
    described(folder / "var" / "loans", some_loans(3_000))
    (folder / "training.yaml").write_text(CONFIG)
    (folder / "gates.yaml").write_bytes((ROOT / "gates.yaml").read_bytes())
    settings = {"TRAINING_TRACKING_URI": "", "TRAINING_BOOTSTRAP": "", "TRAINING_CODE_REVISION": "revision-1"}
    with contextlib.chdir(folder):
        for stage in STAGES:
            if stage != "data":
                done = CliRunner().invoke(app, arguments(stage), env=settings)
                assert done.exit_code == 0, f"{stage}: {done.output}"
    return Place(folder)


@pytest.fixture
def run(place: Place) -> Callable[..., Result]:
    def invoke(*asked: str | Path) -> Result:
        settings = {
            "TRAINING_TRACKING_URI": f"sqlite:///{place.folder}/var/mlflow/mlflow.db",
            "TRAINING_ARTIFACTS": str(place.folder / "artifacts"),
            "TRAINING_BOOTSTRAP": "",
            "TRAINING_CODE_REVISION": "revision-2",
        }
        return CliRunner().invoke(app, [str(one) for one in asked], env=settings)

    return invoke


def test_every_stage_makes_what_the_pipeline_says(place: Place) -> None:
    made = [name for stage in STAGES if stage != "data" for name in outs(stage)]
    assert len(made) == 7
    assert [name for name in made if not (place.folder / name).exists()] == []
    prepared = json.loads((place.folder / "var/pipeline/prepared.json").read_bytes())
    registered = place.registered
    evaluation = evaluation_in(registered, registered.find((place.folder / "var/pipeline/version").read_text()))
    assert prepared["data_digest"] == evaluation.data_digest
    assert json.loads((place.folder / "var/pipeline/evaluation/metrics.json").read_bytes()) == evaluation.metrics
    assert (place.folder / "var/pipeline/baseline.json").read_bytes() == place.fetch(BASELINE_FILE)
    assert registered.tags(registered.find("1"))[SOURCE_TAG] == str(place.folder / "var/loans")


def test_the_run_has_every_figure(place: Place) -> None:
    client = place.registered.registry.client
    run_id = client.get_model_version("loans", "1").run_id
    names = {Path(file.path).stem for file in client.list_artifacts(run_id, "figures")}
    assert names >= {"roc", "precision_recall", "calibration", "confusion", "threshold_costs", "importance"}
    assert names >= {"learning_curve", "validation_curve"}


def test_the_card_travels_with_the_version_and_has_the_gates_word(place: Place, run: Callable[..., Result]) -> None:
    page = place.fetch(CARD_FILE).decode()
    assert run("card", "challenger").output == page
    assert "- Purpose: who pays back" in page
    assert "| no-degradation | passed |" in page
    assert "Not asked yet" in (place.folder / "var/pipeline/evaluation/model_card.md").read_text()  # then it was true
    out = place.folder / "new" / "card.md"
    assert run("card", "1", "--out", out).exit_code == 0
    assert out.read_text() == page


def test_a_version_is_reproduced_from_its_own_lineage_and_nothing_is_registered(
    place: Place, run: Callable[..., Result]
) -> None:
    before = place.registered.versions()
    done = run("reproduce", "1")
    assert done.exit_code == 0, done.output
    assert "loans/1: reproduced from" in done.output
    assert "code revision: revision-1 then, revision-2 now" in done.output
    assert place.registered.versions() == before


def test_other_data_is_not_trained_on(place: Place, run: Callable[..., Result], tmp_path: Path) -> None:
    table = some_loans(3_000)
    table.loc[7, "defaulted"] = 1 - table.loc[7, "defaulted"]
    done = run("reproduce", "1", "--data", described(tmp_path, table), "--json")
    found = json.loads(done.stdout)
    assert done.exit_code == 1
    assert not found["trained"]
    assert [one["what"] for one in found["results"]] == ["data digest"]


def test_the_same_rows_in_another_kind_of_file_are_the_same_data(
    place: Place, run: Callable[..., Result], tmp_path: Path
) -> None:
    from tests.unit.training.rows import DESCRIPTION

    other = msgspec.structs.replace(DESCRIPTION, file="loans.parquet")
    done = run("reproduce", "1", "--data", described(tmp_path, some_loans(3_000), other))
    assert done.exit_code == 0, done.output


def test_data_that_is_gone_is_one_line_that_says_what_to_give(run: Callable[..., Result], place: Place) -> None:
    there, away = place.folder / "var/loans", place.folder / "var/away"
    there.rename(away)
    try:
        done = run("reproduce", "1")
    finally:
        away.rename(there)
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
    assert f"{there}, the data of loans/1, is not there: give --data FOLDER" in done.stderr


def test_versions_are_compared_with_what_differs_between_them(place: Place, run: Callable[..., Result]) -> None:
    """Two more: another seed, and one that was trained without a configuration."""
    again = ["train", "--config", place.folder / "training.yaml", "--seed", "5", "--out", place.folder / "second"]
    assert run(*again).exit_code == 0
    assert (place.folder / "second").read_text() == "2"
    plain = ["train", "--data", place.folder / "var/loans", "--model", "loans", "--estimator", "logistic"]
    assert run(*plain).exit_code == 0
    done = run("compare", "1", "challenger", "champion", "--json")
    one, other, third = json.loads(done.stdout)
    assert [one["version"], other["version"], third["version"]] == ["1", "2", "3"]
    assert (one["gate"], other["gate"]) == ("passed", None)
    assert one["test_set"] != other["test_set"]
    assert one["data_digest"] == other["data_digest"] == third["data_digest"]
    assert (one["params"]["seed"], other["params"]["seed"], third["params"]["seed"]) == ("4", "5", "0")
    assert "max_iter" not in one["params"]
    assert third["test_set"] is None
    assert third["metrics"]["auc"] > 0.6
    refused = run("card", "champion")
    assert refused.exit_code == 2
    assert refused.stderr.startswith("error: loans/3 has no evaluation/evaluation.json: train it with")
    lines = run("compare").output.splitlines()
    assert lines[0].split() == ["version", "1", "2", "3"]
    assert "judged by different rows" in lines[-1]

    another = run(*plain)  # beside a champion it is a challenger, for the gates to judge
    assert "loans/4 in" in another.stdout
    assert "alias challenger" in another.stdout
    three, four = json.loads(run("compare", "champion", "challenger", "--json").stdout)
    assert (three["version"], four["version"]) == ("3", "4")


def test_a_registered_model_that_scores_otherwise_than_recorded_is_found(
    place: Place, run: Callable[..., Result]
) -> None:
    registered = place.registered
    version = registered.find("1")
    recorded = evaluation_in(registered, version)
    forged = msgspec.structs.replace(recorded, scores_digest="0" * 64)
    registered.attach(version, EVALUATION_FOLDER, {"evaluation.json": forged.to_bytes()})
    try:
        done = run("evaluate", "1")
    finally:
        registered.attach(version, EVALUATION_FOLDER, {"evaluation.json": recorded.to_bytes()})
    assert done.exit_code == 1
    assert "OTHER scores than on record" in done.output
    assert run("evaluate", "1").exit_code == 0


def test_a_kept_baseline_is_handed_on_as_it_is_or_not_at_all(run: Callable[..., Result], tmp_path: Path) -> None:
    asked = ["baseline", "--model", "loans", "--version", "1", "--out", tmp_path / "baseline.json"]
    done = run(*asked, "--threshold", "0.5")
    assert done.exit_code == 2
    assert "--threshold needs --reference FILE" in done.stderr
    assert not (tmp_path / "baseline.json").exists()
