"""Training against a real MLflow store (SQLite) and a real broker: what it makes, others can load and read."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from api.models.served import prepare
from api.models.store import ModelStore
from contracts.baseline import Baseline
from contracts.model_files import BASELINE_FILE
from contracts.topics import BASELINES
from demo.datasets.payments import DESCRIPTION, payments
from tests.servers.verbs import Broker
from tests.waiting import PATIENCE
from training.compiled.poison import rows_of
from training.data.description import FILE_NAME
from training.errors import PublishError, RegistryError
from training.fitting.pipeline import scores_of
from training.making.train import Plan, Trained, train
from training.registry.store import Registry
from training.topics.baselines import Publisher

_REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Workshop:
    """A folder with a small payments file, and a registry of its own."""

    folder: Path

    @property
    def tracking_uri(self) -> str:
        return f"sqlite:///{self.folder}/mlflow.db"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def registry(self) -> Registry:
        return Registry(self.tracking_uri, self.folder / "artifacts", "tests")

    def train(self, model: str = "payments", publisher: Publisher | None = None, **changes: object) -> Trained:
        plan = Plan(self.data, model, "hgb", 3, None, None, "revision-1", datetime(2026, 3, 1, tzinfo=UTC))
        return train(replace(plan, **changes), self.registry(), publisher)

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """`python -m training ...` as a user starts it."""
        environment = {
            **os.environ,
            "TRAINING_TRACKING_URI": self.tracking_uri,
            "TRAINING_ARTIFACTS": str(self.folder / "artifacts"),
            **settings,
        }
        command = [sys.executable, "-m", "training", *arguments]
        return subprocess.run(
            command, cwd=_REPOSITORY, env=environment, capture_output=True, text=True, timeout=240, check=False
        )


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    made = Workshop(tmp_path_factory.mktemp("workshop"))
    made.data.mkdir()
    payments(6_000, 3).to_parquet(made.data / DESCRIPTION.file, index=False)
    (made.data / FILE_NAME).write_text(DESCRIPTION.to_toml())
    return made


@pytest.fixture(scope="module")
def first(workshop: Workshop) -> Trained:
    return workshop.train("payments")


def one_line(done: subprocess.CompletedProcess[str], says: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith("error: "), done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert says in done.stderr


def test_the_champion_is_the_model_that_was_fitted(workshop: Workshop, first: Trained) -> None:
    import mlflow

    mlflow.set_tracking_uri(workshop.tracking_uri)
    loaded = mlflow.sklearn.load_model("models:/payments@champion")
    rows = first.samples.features.head(500)
    assert (scores_of(loaded, rows) == scores_of(first.fitted.pipeline, rows)).all()


def test_the_baseline_travels_with_the_version(workshop: Workshop, first: Trained) -> None:
    import mlflow

    mlflow.set_tracking_uri(workshop.tracking_uri)
    file = mlflow.artifacts.download_artifacts(f"models:/payments/{first.version.version}/{BASELINE_FILE}")
    baseline = Baseline.from_bytes(Path(file).read_bytes())
    assert baseline == first.baseline
    assert baseline.key == f"payments/{first.version.version}"
    assert baseline.data_digest == first.samples.digest
    assert baseline.code_revision == "revision-1"
    assert baseline.performance == first.fitted.metrics
    assert baseline.score.histogram.rows == 1_500
    assert baseline.rows == 6_000


def test_the_compiled_form_travels_with_the_version_and_answers_in_the_api(
    workshop: Workshop, first: Trained, tmp_path: Path
) -> None:
    models = ModelStore(workshop.tracking_uri, "payments", "champion", tmp_path)
    models.keep(models.load(first.version.version))
    for model in (models.load(first.version.version), models.load_cached()):
        served = prepare(model, datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=1))
        assert served.scorer.kind == "compiled-trees", served.scorer_note
        features = first.samples.features.head(300)
        make = served.reader.features_type
        rows = [make(**{f"f{i}": v for i, v in enumerate(row)}) for row in rows_of(features, first.samples.schema)]
        own = scores_of(first.fitted.pipeline, features)
        np.testing.assert_allclose(served.scorer.score(rows), own, rtol=0, atol=1e-12)
    assert first.compiled.startswith("compiled-trees, within ")


def test_a_run_records_all_that_it_takes_to_judge_and_repeat_it(workshop: Workshop, first: Trained) -> None:
    import mlflow

    client = mlflow.MlflowClient(workshop.tracking_uri)
    version = client.get_model_version("payments", first.version.version)
    run = client.get_run(version.run_id)
    assert run.data.metrics == first.fitted.metrics
    assert run.data.params["seed"] == "3"
    assert run.data.params["estimator"] == "hgb"
    assert float(run.data.params["threshold"]) == first.fitted.threshold
    assert run.data.tags["data_digest"] == version.tags["data_digest"] == first.samples.digest
    assert run.data.tags["code_revision"] == "revision-1"
    assert {file.path for file in client.list_artifacts(version.run_id, "figures")} == {
        f"figures/{name}.png" for name in ("roc", "precision_recall", "calibration", "scores")
    }
    (data,) = run.inputs.dataset_inputs
    assert data.dataset.name == "payments"
    assert first.samples.digest.startswith(data.dataset.digest)
    logged = mlflow.models.get_model_info(f"models:/payments/{first.version.version}")
    assert {column.type.name for column in logged.signature.inputs if column.name != "channel"} == {"double", "string"}
    example = json.loads(
        Path(
            mlflow.artifacts.download_artifacts(f"models:/payments/{first.version.version}/input_example.json")
        ).read_text()
    )
    assert example["columns"] == [feature.name for feature in DESCRIPTION.features]


def test_a_second_run_has_the_same_metrics_and_digest_and_becomes_challenger(
    workshop: Workshop, first: Trained
) -> None:
    second = workshop.train("payments")
    assert second.samples.digest == first.samples.digest
    assert second.fitted.metrics == first.fitted.metrics
    assert second.fitted.threshold == first.fitted.threshold
    assert second.baseline.features == first.baseline.features
    assert int(second.version.version) == int(first.version.version) + 1

    import mlflow

    client = mlflow.MlflowClient(workshop.tracking_uri)
    for alias, version in (("champion", first.version), ("challenger", second.version)):
        assert str(client.get_model_version_by_alias("payments", alias).version) == version.version


class PublisherThatFails(Publisher):
    """A broker that goes away during training."""

    def check(self) -> None:
        """It is there at first."""

    def publish(self, baseline: Baseline) -> None:
        raise PublishError("gone")


def test_a_version_whose_baseline_was_not_published_does_not_become_champion(workshop: Workshop) -> None:
    before = workshop.train("fragile")
    with pytest.raises(PublishError):
        workshop.train("fragile", PublisherThatFails("127.0.0.1:1", "", 1.0))

    import mlflow

    client = mlflow.MlflowClient(workshop.tracking_uri)
    assert len(client.search_model_versions("name='fragile'")) == 2
    assert str(client.get_model_version_by_alias("fragile", "champion").version) == before.version.version


async def read_all(bootstrap: str, topic: str) -> list[tuple[bytes, bytes, dict[str, bytes]]]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        records = []
        while await consumer.position(partition) < end:
            records += [
                (r.key, r.value, dict(r.headers)) for r in (await consumer.getmany(timeout_ms=1000)).get(partition, [])
            ]
        return records
    finally:
        await consumer.stop()


async def test_the_command_line_trains_registers_and_publishes(
    workshop: Workshop, kafka: Broker, namespace: str, fresh_topic: Callable[..., Awaitable[str]]
) -> None:
    topic = await fresh_topic(BASELINES.name, max_message_bytes="8388608")
    done = workshop.run(
        *("train", "--data", str(workshop.data), "--model", "cli", "--estimator", "logistic", "--seed", "4"),
        TRAINING_BOOTSTRAP=kafka.bootstrap,
        TRAINING_TOPIC_PREFIX=namespace,
        TRAINING_CODE_REVISION="from-the-setting",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "registered  cli/1" in done.stdout
    ((key, value, headers),) = await read_all(kafka.bootstrap, topic)
    baseline = Baseline.from_bytes(value)
    assert key == b"cli/1" == baseline.key.encode()
    assert headers["ce_type"] == b"io.tidemark.baseline.published"
    assert baseline.code_revision == "from-the-setting"
    assert baseline.digest in done.stdout


async def test_a_baseline_of_a_users_own_file_is_published(
    workshop: Workshop, kafka: Broker, namespace: str, fresh_topic: Callable[..., Awaitable[str]], tmp_path: Path
) -> None:
    topic = await fresh_topic(BASELINES.name, max_message_bytes="8388608")
    file = tmp_path / "mine.csv"
    payments(2_000, 5).assign(score=np.linspace(0, 1, 2_000)).drop(columns="fraud").to_csv(file, index=False)
    done = workshop.run(
        *("baseline", "--reference", str(file), "--model", "theirs", "--version", "2026-03"),
        *("--score-column", "score", "--threshold", "0.5"),
        TRAINING_BOOTSTRAP=kafka.bootstrap,
        TRAINING_TOPIC_PREFIX=namespace,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "event_time" in done.stdout  # the table of what was inferred
    ((key, value, _),) = await read_all(kafka.bootstrap, topic)
    baseline = Baseline.from_bytes(value)
    assert key == b"theirs/2026-03"
    assert "event_time" not in baseline.features
    assert baseline.positives is not None
    assert baseline.positives.count == 1_000


async def test_a_baseline_is_published_once_the_topic_is_there(
    first: Trained, kafka: Broker, namespace: str, fresh_topic: Callable[..., Awaitable[str]]
) -> None:
    publisher = Publisher(kafka.bootstrap, namespace, timeout_seconds=5.0, wait_seconds=60.0)
    publisher.check()  # asks for nothing: the topic may come later
    publishing = asyncio.create_task(asyncio.to_thread(publisher.publish, first.baseline))
    topic = await fresh_topic(BASELINES.name)
    await asyncio.wait_for(publishing, 60 * PATIENCE)
    assert [value for _, value, _ in await read_all(kafka.bootstrap, topic)] == [first.baseline.to_bytes()]


async def test_a_topic_that_is_not_there_is_named_with_the_command_that_makes_it(
    workshop: Workshop, kafka: Broker, namespace: str
) -> None:
    done = workshop.run(
        *("train", "--data", str(workshop.data), "--model", "nowhere"),
        TRAINING_BOOTSTRAP=kafka.bootstrap,
        TRAINING_TOPIC_PREFIX=namespace,
    )
    one_line(done, f"no topic '{namespace}baselines': run `python -m stream_app topics`")


def test_a_registry_that_does_not_answer_is_named(workshop: Workshop) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{listener.getsockname()[1]}"  # bound, and nobody listens
        done = workshop.run("train", "--data", str(workshop.data), "--model", "m", TRAINING_TRACKING_URI=uri)
    one_line(done, f"MLflow at {uri} cannot be opened")


def test_a_registry_that_is_no_database_is_named(workshop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("these are my notes, " * 100)
    uri = f"sqlite:///{tmp_path}/notes.db"
    done = workshop.run("train", "--data", str(workshop.data), "--model", "m", TRAINING_TRACKING_URI=uri)
    one_line(done, f"MLflow at {uri} cannot be opened")


def test_a_users_own_model_gets_its_baseline_with_scores_of_its_own(workshop: Workshop, tmp_path: Path) -> None:
    import mlflow
    from sklearn.linear_model import LinearRegression

    rows = pd.DataFrame({"rooms": np.arange(300.0) % 7, "metres": np.linspace(20, 200, 300)})
    mlflow.set_tracking_uri(workshop.tracking_uri)
    mlflow.sklearn.log_model(
        LinearRegression().fit(rows, 1000 * rows["metres"]),
        name="model",
        registered_model_name="rents",
        pip_requirements=["scikit-learn"],
    )
    file = tmp_path / "rents.csv"
    rows.to_csv(file, index=False)
    done = workshop.run("baseline", "--reference", str(file), "--model", "rents", "--version", "1", "--attach")
    assert done.returncode == 0, done.stdout + done.stderr
    attached = mlflow.artifacts.download_artifacts(f"models:/rents/1/{BASELINE_FILE}")
    baseline = Baseline.from_bytes(Path(attached).read_bytes())
    assert "compiled    compiled-linear, within " in done.stdout
    assert baseline.score.histogram.rows == 300
    assert baseline.score.maximum == pytest.approx(200_000)
    assert baseline.threshold is None
    assert "warning     no --threshold, and rents/1 has no baseline with one" in done.stdout


def test_a_baseline_that_is_replaced_keeps_the_versions_threshold(
    workshop: Workshop, first: Trained, tmp_path: Path
) -> None:
    version = workshop.train("replaced").version
    present = workshop.registry().present_baseline(version)
    assert present is not None
    rows, out = workshop.data / DESCRIPTION.file, tmp_path / "baseline.json"
    asked = ("--reference", str(rows), "--model", "replaced", "--version", version.version, "--attach", "--no-publish")
    schema = ("--schema", str(workshop.data / FILE_NAME), "--out", str(out))
    done = workshop.run("baseline", *asked, *schema)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "as in the present baseline of replaced/1: no --threshold was given" in done.stdout
    made = Baseline.from_bytes(out.read_bytes())
    assert made.threshold == present.threshold
    assert made.positives is not None
    assert workshop.registry().present_baseline(version) == made


def test_a_version_that_is_not_in_the_registry_is_named(workshop: Workshop, first: Trained) -> None:
    registry = workshop.registry()
    registry.open()
    for version in ("99", "newest"):
        with pytest.raises(
            RegistryError, match=f"has no payments/{version}: give --version one of .*1, or correct TRAI"
        ):
            registry.find("payments", version)
    with pytest.raises(
        RegistryError, match=r"has no payment/1: give --model one of .*payments.*, or register it first"
    ):
        registry.find("payment", "1")
