"""Material: the payments model as training registers it, and requests of real rows in each server's form."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bench.benchmark import BenchError
from demo.datasets.catalogue import dataset_named
from demo.datasets.dataset import Dataset
from demo.datasets.write import write
from demo.stack.processes import ServiceProcess
from training.compiled.poison import rows_of
from training.data.columns import feature_frame

MODEL = "payments"
ROWS = 5_000
"""Different requests; more than a processor remembers the ways through the trees of."""
BATCH_ROWS = 1_000
ROOT = Path(__file__).parents[2]
_TRAINING_SECONDS = 300.0
_encode = msgspec.json.encode


class Material(NamedTuple):
    """registry: MLflow's URI. model_file: the registered model as scikit-learn saves it with skops.

    single, records, batches: files of requests, one a line: for POST /predict, for MLflow, for POST /predict/batch.
    """

    registry: str
    model_file: Path
    single: Path
    records: Path
    batches: Path


def make(directory: Path, seed: int) -> Material:
    """Train, register, and write the requests. Raises BenchError."""
    dataset = dataset_named(MODEL)
    toml = write(dataset, directory / "data", seed)
    registry, artifacts = f"sqlite:///{directory}/mlflow.db", directory / "artifacts"
    command = [sys.executable, "-m", "training", "train", "--data", str(toml.parent), "--model", MODEL]
    env = {"TRAINING_TRACKING_URI": registry, "TRAINING_ARTIFACTS": str(artifacts)}
    training = ServiceProcess(
        "training", [*command, "--seed", str(seed)], directory / "training.log", env=env, cwd=ROOT
    )
    training.start()
    try:
        status: int | None = training.wait(_TRAINING_SECONDS)
    except subprocess.TimeoutExpired:
        status = None
    finally:
        training.kill()
    files = sorted(artifacts.rglob("model.skops"))
    if status != 0 or not files:
        raise BenchError(f"the model could not be trained: {' / '.join(training.tail(3))}")
    requests = requests_of(dataset, seed)
    return Material(
        registry,
        files[0],
        lines(directory / "single.jsonl", requests),
        lines(directory / "records.jsonl", ({"dataframe_records": [request["features"]]} for request in requests)),
        lines(
            directory / "batches.jsonl",
            ({"rows": requests[i : i + BATCH_ROWS]} for i in range(0, len(requests), BATCH_ROWS)),
        ),
    )


def requests_of(dataset: Dataset, seed: int) -> list[dict[str, Any]]:
    """Bodies for POST /predict, ROWS different ones."""
    quiet, description = dataset.quiet(seed).head(ROWS), dataset.description
    entities = quiet[description.entity].tolist()
    rows = rows_of(feature_frame(quiet, description.schema), description.schema)
    return [
        {"entity_id": entity, "features": dict(zip(description.schema.names, row, strict=True))}
        for entity, row in zip(entities, rows, strict=True)
    ]


def lines(file: Path, bodies: Iterable[dict[str, Any]]) -> Path:
    """Write them, one a line."""
    file.write_bytes(b"".join(_encode(body) + b"\n" for body in bodies))
    return file
