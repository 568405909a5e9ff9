"""The model registry: the only file of training that knows MLflow.

A version is made in an order that leaves no half-made champion: the model is logged and registered, its baseline and
its compiled form are attached to it, and only then may an alias point to it.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any, TypeVar

from contracts.baseline import Baseline
from contracts.compiled import Compiled
from contracts.errors import InvalidBaseline
from contracts.missing_package import missing_package
from contracts.model_files import BASELINE_FILE, COMPILED_FILE, SKOPS_TRUSTED_TYPES
from contracts.registry_address import shown, without_secrets
from contracts.schema import FeatureSchema
from training.errors import RegistryError
from training.registry.address import check_there, sqlite_file
from training.registry.records import Run, Version

_LOGGED_MODEL = "models:/m-"
_NO_SUCH = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""MLflow's codes for a version that is not there, and for one that is no number."""
_LISTED = 20
_OTHERS = (ImportError, OSError, ValueError)
"""What MLflow lets through: a driver that is not installed, a disk or a connection, an address."""
T = TypeVar("T")
_RUNTIME = ("scikit-learn", "skops", "numpy", "pandas")


@cache
def _mlflow() -> Any:
    """MLflow, imported late: its import takes seconds, and reads these settings."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # 7 tries of 120 s by default: minutes before an error, and an alias moved when nobody waits for it any more
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    import mlflow
    import mlflow.sklearn

    # Chatter about tables, pip and aliases. Errors reach us as exceptions.
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return mlflow


class Registry:
    """MLflow's tracking store and registry at `tracking_uri`. artifacts: folder of model files for a local store."""

    def __init__(self, tracking_uri: str, artifacts: Path, experiment: str) -> None:
        self.tracking_uri = tracking_uri
        self._artifacts = artifacts
        self._experiment = experiment
        self._experiment_id: str | None = None

    def open(self, *, to_register: bool = False) -> None:
        """Connect. to_register: make what is not there: the experiment, and a SQLite file with its tables (3-6 s); else
        nothing is made. Raises RegistryError.
        """
        check_there(self.tracking_uri, may_create=to_register)
        if shown(self.tracking_uri) != self.tracking_uri:  # it prints a link to each run, with the whole address
            os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
        with self.errors("cannot be opened"):
            _mlflow().set_tracking_uri(self.tracking_uri)
            found = self.client.get_experiment_by_name(self._experiment)
            if to_register:
                self._experiment_id = found.experiment_id if found else self._create_experiment()

    def log_version(self, model: str, run: Run) -> Version:
        """Log the run with its model and register that as a new version of `model`. Raises RegistryError."""
        mlflow = _mlflow()
        with self.errors("refused the run"), mlflow.start_run(experiment_id=self._experiment_id) as active:
            self._log_facts(active.info.run_id, run)
            info = mlflow.sklearn.log_model(
                run.pipeline,
                name="model",
                signature=self._signature(run.schema),
                input_example=run.example,
                # named, or MLflow starts a process that imports the model to find them out (3-9 s)
                pip_requirements=[f"{package}=={installed(package)}" for package in _RUNTIME],
                skops_trusted_types=list(SKOPS_TRUSTED_TYPES),
                pyfunc_predict_fn="predict_proba",
            )
            self._ensure_model(model)
            made = self.client.create_model_version(
                model,
                source=f"models:/{info.model_id}",
                run_id=active.info.run_id,
                tags=run.tags,
                model_id=info.model_id,
            )
            return Version(model, str(made.version), info.model_id)

    def attach_baseline(self, version: Version, baseline: Baseline) -> None:
        """Put the baseline among the version's files, where the api finds it. Raises RegistryError."""
        with self.errors("refused the baseline"), tempfile.TemporaryDirectory() as folder:
            file = Path(folder, BASELINE_FILE)
            file.write_bytes(baseline.to_bytes())
            self.client.log_model_artifact(version.model_id, str(file))
            self.client.set_model_version_tag(version.model, version.version, "baseline", baseline.digest)

    def attach_compiled(self, version: Version, compiled: Compiled) -> None:
        """Put the compiled form among the version's files. Raises RegistryError."""
        with self.errors("refused the compiled form"), tempfile.TemporaryDirectory() as folder:
            file = Path(folder, COMPILED_FILE)
            file.write_bytes(compiled.to_bytes())
            self.client.log_model_artifact(version.model_id, str(file))

    def set_alias(self, version: Version, alias: str) -> None:
        """Point `alias` to the version. Raises RegistryError."""
        with self.errors(f"refused the alias {alias!r}"):
            self.client.set_registered_model_alias(version.model, alias, version.version)

    def find(self, model: str, version: str) -> Version:
        """A version that is registered already. Raises RegistryError."""
        with self.errors(f"cannot look up {model}/{version}"):
            try:
                found = self.client.get_model_version(model, version)
            except _mlflow().exceptions.MlflowException as error:
                if error.error_code not in _NO_SUCH:
                    raise
                raise RegistryError(self._has_no(model, version)) from error
            # the SQL store returns no model_id; the source names the logged model since MLflow 3
            if not str(found.source).startswith(_LOGGED_MODEL):
                raise RegistryError(f"{model}/{version} is from {found.source}: log it again with MLflow 3 or later")
            return Version(model, str(found.version), found.source.removeprefix("models:/"))

    def present_baseline(self, version: Version) -> Baseline | None:
        """The baseline among the version's files, None where there is none that can be read. Raises RegistryError."""
        with self.errors(f"cannot fetch {BASELINE_FILE} of {version.model}/{version.version}"):
            if all(file.path != BASELINE_FILE for file in self.client.list_logged_model_artifacts(version.model_id)):
                return None
            try:
                return Baseline.from_bytes(self.download(version, BASELINE_FILE))
            except InvalidBaseline:
                return None  # it is about to be replaced

    def download(self, version: Version, path: str) -> bytes:
        """One of the version's files. Inside `errors`."""
        with tempfile.TemporaryDirectory() as folder:
            file = _mlflow().artifacts.download_artifacts(
                artifact_uri=f"models:/{version.model}/{version.version}/{path}",
                dst_path=folder,
                tracking_uri=self.tracking_uri,
                registry_uri=self.tracking_uri,
            )
            return Path(file).read_bytes()

    def load(self, version: Version) -> Any:
        """The scikit-learn estimator of a version. Raises RegistryError."""
        with self.errors(f"cannot load {version.model}/{version.version}"):
            return _mlflow().sklearn.load_model(f"models:/{version.model}/{version.version}")

    def or_none(self, ask: Callable[[], T]) -> T | None:
        """What `ask` returns; None where MLflow says that there is no such thing. Inside `errors`."""
        try:
            return ask()
        except _mlflow().exceptions.MlflowException as error:
            if error.error_code not in _NO_SUCH:
                raise
            return None

    def _has_no(self, model: str, version: str) -> str:
        """What to do about a version that is not there."""
        versions = self.client.search_model_versions(f"name='{model}'", max_results=_LISTED)
        models = self.client.search_registered_models(max_results=_LISTED)
        if versions:
            fix = f"give --version one of {', '.join(str(one.version) for one in versions)}"
        elif models:
            fix = f"give --model one of {', '.join(one.name for one in models)}, or register it first"
        else:
            fix = "no model is registered there, register it first"
        return (
            f"MLflow at {shown(self.tracking_uri)} has no {model}/{version}: {fix}, or correct TRAINING_TRACKING_URI; "
            "a model that is not in MLflow needs no --attach"
        )

    @property
    def client(self) -> Any:
        """MLflow's client; inside `errors` only."""
        return _mlflow().MlflowClient(self.tracking_uri)

    def _create_experiment(self) -> str:
        location = None if sqlite_file(self.tracking_uri) is None else self._artifacts.resolve().as_uri()
        return str(self.client.create_experiment(self._experiment, artifact_location=location))

    def _ensure_model(self, model: str) -> None:
        mlflow = _mlflow()
        try:
            self.client.create_registered_model(model)
        except mlflow.exceptions.MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _log_facts(self, run_id: str, run: Run) -> None:
        """Parameters, metrics, tags in one batch: one by one they take two seconds."""
        entities = _mlflow().entities
        series = [
            entities.Metric(name, value, 0, step)
            for name, found in run.series.items()
            for step, value in enumerate(found)
        ]
        self.client.log_batch(
            run_id,
            metrics=[entities.Metric(name, value, 0, 0) for name, value in run.metrics.items()] + series,
            params=[entities.Param(name, value) for name, value in run.params.items()],
            tags=[entities.RunTag(name, value) for name, value in run.tags.items()],
        )
        self.client.log_inputs(run_id, datasets=[self._dataset(run)])
        with tempfile.TemporaryDirectory() as folder:
            for name, figure in run.figures.items():
                figure.savefig(Path(folder, name))
            self.client.log_artifacts(run_id, folder, "figures")
        with tempfile.TemporaryDirectory() as folder:
            for name, content in run.files.items():
                Path(folder, name).write_bytes(content)
            self.client.log_artifacts(run_id, folder)

    def _dataset(self, run: Run) -> Any:
        """The data set as MLflow's lineage shows it. Made by hand: `mlflow.data` would infer the types again (.6 s)."""
        entities = _mlflow().entities
        columns = self._signature(run.schema).inputs.to_dict()
        dataset = entities.Dataset(
            name=run.data.name,
            digest=run.data.digest[:32],  # MLflow's limit is 36
            source_type="local",
            source=json.dumps({"uri": str(run.data.file)}),
            schema=json.dumps({"mlflow_colspec": columns}),
            profile=json.dumps({"num_rows": run.data.rows}),
        )
        return entities.DatasetInput(dataset, tags=[entities.InputTag("mlflow.data.context", "training")])

    def _signature(self, schema: FeatureSchema) -> Any:
        """Numbers as double: integers could not be missing."""
        from mlflow.models import ModelSignature
        from mlflow.types import ColSpec, DataType, Schema

        types = {"numeric": DataType.double, "boolean": DataType.double, "categorical": DataType.string}
        inputs = [ColSpec(types[f.kind], f.name, required=not f.nullable) for f in schema.features]
        return ModelSignature(Schema(inputs), Schema([ColSpec(DataType.double), ColSpec(DataType.double)]))

    @contextmanager
    def errors(self, what: str) -> Iterator[None]:
        """Whatever MLflow raises inside becomes a RegistryError: `what` could not be done."""
        from sqlalchemy.exc import SQLAlchemyError

        _mlflow()
        from mlflow.exceptions import MlflowException
        from skops.io.exceptions import UntrustedTypesFoundException

        try:
            yield
        except (MlflowException, SQLAlchemyError, UntrustedTypesFoundException, *_OTHERS) as error:
            said = missing_package(error) if isinstance(error, ImportError) else str(error)
            reason = textwrap.shorten(without_secrets(said, self.tracking_uri), 300, placeholder=" ...")
            where = shown(self.tracking_uri)
            raise RegistryError(f"MLflow at {where} {what}: {reason} (TRAINING_TRACKING_URI)") from error
