"""`train --config` against a real MLflow store and a real broker: a version that can be judged, served and repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from api.models.served import prepare
from api.models.store import ModelStore
from contracts.baseline import Baseline
from contracts.model_files import BASELINE_FILE
from contracts.topics import BASELINES, MODEL_EVENTS
from demo.datasets.payments import DESCRIPTION, payments
from tests.servers.verbs import Broker
from training.compiled.poison import rows_of
from training.configuration.config import Search, Span
from training.data.description import FILE_NAME
from training.evaluation.held_out import HeldOut
from training.evaluation.record import EVALUATION_FILE, TEST_FILE, Evaluation
from training.fitting.pipeline import build_pipeline, scores_of
from training.fitting.search import search
from training.making.asked import asked_by_config
from training.making.train import Trained, train
from training.registry.records import Version
from training.registry.registered import CHALLENGER, Registered
from training.registry.store import Registry
from training.topics.baselines import Publisher
from training.topics.model_events import ModelEvents

CONFIG = """
model: payments
data: .
seed: 3
jobs: 1
folds: 3
segments: [channel, fraud]
estimator: {name: hgb, params: {max_iter: 30}}
search:
  candidates: 4
  folds: 2
  space: {learning_rate: {low: 0.05, high: 0.3, log: true}, max_leaf_nodes: [7, 15]}
calibration: isotonic
threshold: {rule: cost}
costs: {false_negative: 20}
"""


@dataclass(frozen=True)
class Workshop:
    """A folder with a small payments file and a training.yaml, and a registry of its own."""

    folder: Path

    @property
    def tracking_uri(self) -> str:
        return f"sqlite:///{self.folder}/mlflow.db"

    def registry(self) -> Registry:
        return Registry(self.tracking_uri, self.folder / "artifacts", "tests")

    def train(self, publisher: Publisher | None = None, steps: ModelEvents | None = None) -> Trained:
        now = datetime(2026, 3, 1, tzinfo=UTC)
        plan = asked_by_config(self.folder / "training.yaml", None, None, None, None, {}, "revision-1", now)
        return train(plan, self.registry(), publisher, None, steps, "tester")

    def file(self, version: Version, path: str) -> bytes:
        registry = self.registry()
        registry.open()
        found = Registered(registry, version.model).fetch(version, path)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    made = Workshop(tmp_path_factory.mktemp("workshop"))
    payments(6_000, 3).to_parquet(made.folder / DESCRIPTION.file, index=False)
    (made.folder / FILE_NAME).write_text(DESCRIPTION.to_toml())
    (made.folder / "training.yaml").write_text(CONFIG)
    return made


@pytest.fixture(scope="module")
def first(workshop: Workshop) -> Trained:
    return workshop.train()


def test_the_version_becomes_challenger_and_its_evaluation_travels_with_it(workshop: Workshop, first: Trained) -> None:
    registry = workshop.registry()
    registry.open()
    registered = Registered(registry, "payments")
    assert registered.marks().aliases == {CHALLENGER: first.version.version}
    assert registered.tagged("code_revision", "revision-1")[-1] == first.version
    assert registered.tagged("code_revision", "revision-2") == []
    evaluation = Evaluation.from_bytes(workshop.file(first.version, EVALUATION_FILE))
    assert evaluation == first.evaluation
    assert {name: part.rows for name, part in evaluation.rows.items()} == {
        "train": 3_600,
        "validation": 1_200,
        "test": 1_200,
    }
    assert evaluation.rows["test"].first is not None
    assert len(evaluation.folds) == 3
    assert evaluation.search is not None
    assert evaluation.scorer.kind == "compiled-trees"
    assert evaluation.metrics["auc"] > 0.7


def test_whoever_has_the_held_out_rows_can_repeat_the_scores(workshop: Workshop, first: Trained) -> None:
    import mlflow

    mlflow.set_tracking_uri(workshop.tracking_uri)
    rows = HeldOut.from_parquet(workshop.file(first.version, TEST_FILE), first.samples.schema)
    loaded = mlflow.sklearn.load_model("models:/payments@challenger")
    np.testing.assert_array_equal(scores_of(loaded, rows.features), rows.scores)
    assert rows.times is not None
    assert rows.segments.columns.tolist() == ["fraud"]  # channel is a feature
    np.testing.assert_array_equal(rows.labels, rows.segments["fraud"].astype(int))


def test_the_baseline_holds_the_outcomes_of_rows_that_were_not_trained_on(workshop: Workshop, first: Trained) -> None:
    baseline = Baseline.from_bytes(workshop.file(first.version, BASELINE_FILE))
    assert baseline.outcomes is not None
    assert sum(baseline.outcomes.negatives) + sum(baseline.outcomes.positives) == 1_200
    assert baseline.score.histogram.rows == 1_200
    assert baseline.costs is not None
    assert baseline.costs.false_negative == 20


def test_the_calibrated_scores_are_those_that_the_api_gives(workshop: Workshop, first: Trained, tmp_path: Path) -> None:
    models = ModelStore(workshop.tracking_uri, "payments", CHALLENGER, tmp_path)
    served = prepare(models.load(first.version.version), datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=1))
    assert served.scorer.kind == "compiled-trees", served.scorer_note
    features, make = first.samples.features.head(300), served.reader.features_type
    rows = [make(**{f"f{i}": v for i, v in enumerate(row)}) for row in rows_of(features, first.samples.schema)]
    own = scores_of(first.fitted.pipeline, features)
    np.testing.assert_allclose(served.scorer.score(rows), own, rtol=0, atol=1e-9)


def test_the_run_records_each_fold_the_search_and_the_configuration(workshop: Workshop, first: Trained) -> None:
    import mlflow

    client = mlflow.MlflowClient(workshop.tracking_uri)
    run = client.get_run(client.get_model_version("payments", first.version.version).run_id)
    assert first.tuned is not None
    history = sorted(client.get_metric_history(run.info.run_id, "fold_auc"), key=lambda metric: metric.step)
    assert [metric.value for metric in history] == [fold["auc"] for fold in first.tuned.folds]
    assert run.data.metrics["auc"] == first.tuned.metrics["auc"]
    assert run.data.metrics["validation_auc"] == first.fitted.metrics["auc"]
    assert run.data.params["calibration"] == "isotonic"
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert files >= {"training.json", "environment.json", "search.csv"}


async def test_a_second_training_is_the_same_and_both_are_told_on_the_topics(
    workshop: Workshop,
    first: Trained,
    kafka: Broker,
    namespace: str,
    fresh_topic: Callable[..., Awaitable[str]],
) -> None:
    await fresh_topic(BASELINES.name, max_message_bytes="8388608")
    await fresh_topic(MODEL_EVENTS.name)
    steps = ModelEvents(kafka.bootstrap, namespace, 15.0)
    second = await asyncio.to_thread(workshop.train, Publisher(kafka.bootstrap, namespace, 15.0), steps)
    one, other = first.evaluation, second.evaluation
    assert one is not None
    assert other is not None
    for name in ("data_digest", "scores_digest", "metrics", "validation", "folds", "threshold", "params", "rows"):
        assert getattr(one, name) == getattr(other, name), name
    assert workshop.file(first.version, TEST_FILE) == workshop.file(second.version, TEST_FILE)
    ((event, _),) = await asyncio.to_thread(steps.read, "payments")
    assert (event.kind, event.version, event.by) == ("registered", second.version.version, "tester")
    assert event.details["alias"] == CHALLENGER


def test_the_search_finds_the_same_with_any_number_of_processes(first: Trained) -> None:
    """Other processes, so no unit test."""
    features, labels = first.samples.features.head(1_500), first.samples.labels[:1_500]
    space = Search(space={"C": Span(low=1e-3, high=10.0, log=True)}, candidates=4, folds=2)
    pipeline, told = build_pipeline("logistic", first.samples.schema, 0), list[str]()
    one, two = (search(pipeline, space, features, labels, 5, jobs, told.append) for jobs in (1, 2))
    assert one.params == two.params
    assert (one.searched.score, one.searched.default) == (two.searched.score, two.searched.default)
    assert told[0] == told[2] == "round 1 of 1: 4 candidates on 1,500 rows"
