"""dvc.yaml by DVC itself, against a real MLflow store; and what one can ask then.

DVC cannot be installed beside the rest: it has an environment of its own, made once per user (tests.tool_environments).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from typer.testing import CliRunner, Result

from contracts.model_files import BASELINE_FILE
from tests.tool_environments import NoTool, python_with
from tests.unit.training.rows import described, some_loans
from training.__main__ import app
from training.evaluation.record import EVALUATION_FOLDER
from training.making.recorded import SOURCE_TAG
from training.registry.registered import Registered
from training.registry.store import Registry
from training.reports.card_files import CARD_FILE, evaluation_in

ROOT = Path(__file__).parents[2]
STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
del STAGES["data"]  # of the example's rows: left out where the data is one's own, as docs/training.md says
PARAMS: dict[str, str] = yaml.safe_load((ROOT / "params.yaml").read_text())
OURS = {"model": "loans", "data": "var/loans"}
CODE = ("contracts", "stream_app", "training")
REVISION = "revision-1"
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


def outs(stage: str) -> list[str]:
    found = [*STAGES[stage].get("outs", ()), *STAGES[stage].get("metrics", ())]
    return [one if isinstance(one, str) else next(iter(one)) for one in found]


@dataclass(frozen=True)
class Reproduced:
    """What `dvc repro` did: names of stages, in its order."""

    ran: list[str]
    skipped: list[str]


@pytest.fixture(scope="module")
def dvc() -> Path:
    """A Python that has DVC."""
    try:
        return python_with(ROOT / "requirements" / "dvc.txt")
    except NoTool as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


@pytest.fixture(scope="module")
def repro(dvc: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Reproduced]:
    """Runs `dvc repro` in a folder, with nothing of this user's own settings."""
    own = tmp_path_factory.mktemp("dvc")
    settings = {name: value for name, value in os.environ.items() if not name.startswith(("TRAINING_", "DVC_"))}
    settings.pop("PYTHONPATH", None)  # the code is that of the folder
    settings |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DVC_GLOBAL_CONFIG_DIR": str(own),
        "DVC_SYSTEM_CONFIG_DIR": str(own),
        "DVC_SITE_CACHE_DIR": str(own),
        "TRAINING_CODE_REVISION": REVISION,
    }

    def run(folder: Path, *options: str) -> Reproduced:
        done = subprocess.run(
            [dvc, "-m", "dvc", "repro", *options], cwd=folder, env=settings, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        ran = re.findall(r"^Running stage '(\w+)'", done.stdout, re.MULTILINE)
        return Reproduced(ran, re.findall(r"^Stage '(\w+)' didn't change, skipping", done.stdout, re.MULTILINE))

    return run


@pytest.fixture(scope="module")
def place(repro: Callable[..., Reproduced], tmp_path_factory: pytest.TempPathFactory) -> Place:
    """DVC has run every stage."""
    folder = tmp_path_factory.mktemp("clone")
    for name in CODE:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.pyc.*"))  # half-written ones
    for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore", "gates.yaml"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}, sort_keys=False))
    (folder / "params.yaml").write_text(yaml.safe_dump({**PARAMS, **OURS}))
    (folder / "training.yaml").write_text(CONFIG)
    (folder / "var" / "loans").mkdir(parents=True)
    described(folder / "var" / "loans", some_loans(3_000))
    subprocess.run(["git", "init", "-q", folder], check=True)
    assert repro(folder) == Reproduced(list(STAGES), [])
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
    made = [name for stage in STAGES for name in outs(stage)]
    assert len(made) == 7
    assert [name for name in made if not (place.folder / name).exists()] == []
    prepared = json.loads((place.folder / "var/pipeline/prepared.json").read_bytes())
    registered = place.registered
    evaluation = evaluation_in(registered, registered.find((place.folder / "var/pipeline/version").read_text()))
    assert prepared["data_digest"] == evaluation.data_digest
    assert json.loads((place.folder / "var/pipeline/evaluation/metrics.json").read_bytes()) == evaluation.metrics
    assert (place.folder / "var/pipeline/baseline.json").read_bytes() == place.fetch(BASELINE_FILE)
    assert registered.tags(registered.find("1"))[SOURCE_TAG] == str(place.folder / "var/loans")


def test_what_has_not_changed_is_not_run_again(place: Place, repro: Callable[..., Reproduced]) -> None:
    assert repro(place.folder) == Reproduced([], list(STAGES))


def test_a_change_of_the_gates_asks_them_again_and_trains_nothing(
    place: Place, repro: Callable[..., Reproduced]
) -> None:
    rules = place.folder / "gates.yaml"
    changed = rules.read_text().replace("auc: 0.6 ", "auc: 0.61 ")
    assert changed != rules.read_text()
    rules.write_text(changed)
    assert repro(place.folder) == Reproduced(["gate", "baseline"], ["prepare", "train", "evaluate"])
    assert (place.folder / "var/pipeline/version").read_text() == "1"


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
    assert "judged by different rows" in lines[-2]
    assert "fitted on rows of the other's test" in lines[-1]

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


def test_the_same_data_parameters_and_revision_give_the_same_metrics_and_scores(
    place: Place, repro: Callable[..., Reproduced]
) -> None:
    """The last test: it leaves another version."""
    assert repro(place.folder, "--force", "--single-item", "train") == Reproduced(["train"], [])
    version = (place.folder / "var/pipeline/version").read_text()
    assert version != "1"
    registered = place.registered
    first, again = (evaluation_in(registered, registered.find(one)) for one in ("1", version))
    assert (again.data_digest, again.scores_digest) == (first.data_digest, first.scores_digest)
    assert (again.metrics, again.validation, again.folds) == (first.metrics, first.validation, first.folds)
