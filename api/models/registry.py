"""The registry: what its aliases point to, which versions there are, and their files. The only file that knows MLflow.

Everything here blocks: call it in a thread. Aliases are resolved once to versions; from then on only the version is
named, because an alias asked twice may be two versions.
"""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Container
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from api.errors import ModelRefused, NothingToServe, RegistryAway
from api.models.pointers import CHALLENGER, CHAMPION, Pointers
from api.models.registered import RegisteredVersion
from api.models.unchanged import SqliteFile, Stamp
from contracts.errors import InvalidMessage
from contracts.missing_package import missing_package
from contracts.model_files import BASELINE_FILE, COMPILED_FILE
from contracts.registry_address import shown, without_secrets
from contracts.rollout import ROLLOUT_TAG, decode_rollout

_SQLITE = "sqlite:///"

Aliases = tuple[dict[str, str], str | None]
"""The version of each alias, and the rollout's tag."""


@cache
def _mlflow() -> Any:
    """MLflow, imported late: its import takes seconds, in which the API listens already; and it reads these then."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # MLflow's own are 7 attempts of 120 s: the poll tries again by itself, and a start should soon take its local copy
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
    import mlflow.artifacts
    import mlflow.models
    import mlflow.tracking

    return mlflow


class Registry:
    """One registered model in MLflow."""

    def __init__(self, tracking_uri: str, name: str, alias: str) -> None:
        self._uri = tracking_uri
        self._name = name
        self._alias = alias
        self._client: Any = None
        self._settled = False
        file = tracking_uri.partition("?")[0]
        self._local = Path(file.removeprefix(_SQLITE)) if file.startswith(_SQLITE) else None
        self._file = None if self._local is None else SqliteFile(self._local)
        self._asked: tuple[Stamp, Aliases] | None = None

    def pointers(self) -> Pointers:
        """What the aliases and the tag of the rollout say now, in one call. Raises RegistryAway."""
        self._check_uri()
        aliases, tag = self._aliases()
        if self._alias not in aliases:
            raise NothingToServe(_without_alias(self._name, self._alias, aliases))
        if self._alias != CHAMPION:  # a deployment of its own, such as the green one: rollouts are the champion's
            return Pointers(aliases[self._alias])
        rollout, wrong = None, ""
        try:
            rollout = decode_rollout(tag)
        except InvalidMessage as error:
            wrong = str(error)
        return Pointers(aliases[self._alias], rollout, aliases.get(CHALLENGER), wrong)

    def _aliases(self) -> Aliases:
        stamp = None if self._file is None else self._file.stamp()
        if stamp is not None and self._asked is not None and self._asked[0] == stamp:
            return self._asked[1]
        try:
            found = self._connection().get_registered_model(self._name)
            said = {alias: str(version) for alias, version in found.aliases.items()}, found.tags.get(ROLLOUT_TAG)
        except Exception as error:  # whatever its store's driver raises: SQLAlchemy's, requests', MLflow's own
            raise self._away(error, f"{self._name}@{self._alias}") from error
        self._asked = None if stamp is None else (stamp, said)
        return said

    def listed(self, most: int) -> tuple[RegisteredVersion, ...]:
        """The newest versions and those with an alias, newest first. Raises RegistryAway."""
        self._check_uri()
        try:
            client = self._connection()
            aliases: dict[str, str] = client.get_registered_model(self._name).aliases
            newest = client.search_model_versions(
                f"name='{self._name}'", max_results=most, order_by=["version_number DESC"]
            )
            known = {str(one.version): one for one in newest}
            for version in set(map(str, aliases.values())) - set(known):
                known[version] = client.get_model_version(self._name, version)
            return tuple(self._facts(known[version], aliases) for version in sorted(known, key=int, reverse=True))
        except Exception as error:  # as in pointers()
            raise self._away(error, self._name) from error

    def download(self, version: str, folder: Path) -> Path:
        """Fetch a version's files into a folder; returns where in it they are. Raises RegistryAway."""
        try:
            # not "models:/NAME/VERSION": MLflow looks that up in the process's default registry, whatever it is told
            location = self._connection().get_model_version_download_uri(self._name, version)
            files = _mlflow().artifacts.download_artifacts(
                artifact_uri=location, dst_path=str(folder), tracking_uri=self._uri, registry_uri=self._uri
            )
        except Exception as error:  # as in pointers()
            raise self._away(error, f"{self._name}/{version} cannot be fetched") from error
        if not self._settled:
            gc.freeze()  # MLflow is all there now: a collection that looks through it holds every thread for .15 s
            self._settled = True
        return Path(files)

    def _connection(self) -> Any:
        if self._client is None:  # on first use: for a SQLite file it opens the database
            self._client = _mlflow().tracking.MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)
        return self._client

    def _facts(self, found: Any, aliases: dict[str, str]) -> RegisteredVersion:
        location = self._connection().get_model_version_download_uri(self._name, found.version)
        listing = _mlflow().artifacts.list_artifacts(artifact_uri=location, tracking_uri=self._uri)
        files = {file.path.rsplit("/", 1)[-1] for file in listing}
        return RegisteredVersion(
            version=str(found.version),
            aliases=tuple(sorted(alias for alias, version in aliases.items() if str(version) == str(found.version))),
            created=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
            baseline=BASELINE_FILE in files,
            compiled=COMPILED_FILE in files,
            metrics=dict(self._connection().get_run(found.run_id).data.metrics) if found.run_id else {},
            description=found.description or "",
        )

    def _away(self, error: Exception, what: str) -> RegistryAway:
        """In our words, for MLflow's may be a page of its HTTP client's, with the password of the address in it."""
        uri = shown(self._uri)
        code = getattr(error, "error_code", "")
        if type(error.__context__).__module__.startswith("requests."):
            return RegistryAway(f"API_TRACKING_URI: MLflow at {uri} does not answer ({_why_not(error)})")
        if isinstance(error, ImportError):
            return RegistryAway(f"API_TRACKING_URI: MLflow at {uri}: {missing_package(error)}")
        if code == "ENDPOINT_NOT_FOUND":
            return RegistryAway(f"API_TRACKING_URI: what answers at {uri} is not MLflow")
        if code == "RESOURCE_DOES_NOT_EXIST" and what == f"{self._name}@{self._alias}":
            train = "`python -m training train` makes it, and API_MODEL says which is served"
            return NothingToServe(f"MLflow at {uri} has no model {self._name!r}: {train}")
        return RegistryAway(f"{what}: {first_line(error, self._uri)}")

    def _check_uri(self) -> None:
        """MLflow would make an empty registry of a mistyped file name, and take an address without http:// for one."""
        if re.match(r"[\w.-]+:\d+(/|$)", self._uri):
            raise RegistryAway(f"API_TRACKING_URI: {shown(self._uri)} has no scheme: is it http://{shown(self._uri)}?")
        if self._local is not None and not self._local.is_file():
            raise RegistryAway(f"API_TRACKING_URI: there is no file {self._local}")


def flavor_of(folder: Path, key: str) -> dict[str, Any]:
    """What MLflow wrote of a scikit-learn model among its files. key: of the version. Raises ModelRefused."""
    try:
        flavor: dict[str, Any] | None = _mlflow().models.Model.load(str(folder)).flavors.get("sklearn")
    except Exception as error:  # MLflow's own, or YAML's
        raise ModelRefused(f"{key} is not an MLflow model: {first_line(error)}") from error
    if flavor is None:
        raise ModelRefused(f"{key} has no scikit-learn flavour: log it with mlflow.sklearn.log_model")
    return flavor


def _without_alias(name: str, alias: str, aliases: Container[str]) -> str:
    if alias != CHAMPION:
        return f"no version of {name} has the alias {alias!r} (API_MODEL_ALIAS): give it to one in MLflow"
    version = CHALLENGER if CHALLENGER in aliases else "VERSION"
    return f"no version of {name} has the alias {CHAMPION!r}: run `python -m training promote {version} --model {name}`"


def _why_not(error: Exception) -> str:
    """Why there is no connection, in a few words."""
    signs = (("NameResolution", "no such host"), ("refused", "connection refused"), ("imed out", "no answer in time"))
    return next((words for sign, words in signs if sign in str(error)), type(error.__context__).__name__)


def first_line(error: Exception, address: str = "") -> str:
    """Of its text, for people: without the secrets of this address."""
    lines = without_secrets(str(error), address).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
