"""Settings of training, from the environment: TRAINING_*. Read once, in the entry point."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.addresses import kafka_addresses
from contracts.misspelt import misspelt
from contracts.registry_address import shown
from training.errors import SettingsError

PREFIX = "TRAINING_"
_BARE = re.compile(r"(localhost|[\w-]+(\.[\w-]+)+|[\w-]+(?=:\d)|\[[\da-fA-F:]+\])(:\d+)?(/.*)?")
"""A server's address without a scheme, which MLflow takes for a scheme, or for a folder to make."""


class Settings(BaseSettings):
    """Where models, metrics and baselines go.

    tracking_uri: MLflow's tracking store and registry; `sqlite:///FILE` needs no server. artifacts: the folder of
    model files when tracking_uri is a local file (a server has its own). experiment: MLflow's name for the runs.
    bootstrap: `host:port`, comma separated; without it nothing is published. topic_prefix: as the services'.
    broker_wait_seconds: 0: Kafka must be there at the start. More: it may come up while the model is fitted, and
    publishing is tried again for so long. code_revision: recorded with each version; without it
    `git rev-parse HEAD` is asked. approve: manual: before 100 % a rollout waits for a person's `promote`.
    work: folder of the retrainings that are at work, and of what they learnt from.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    tracking_uri: str = Field("sqlite:///var/mlflow/mlflow.db", min_length=1)
    artifacts: Path = Path("var/mlflow/artifacts")
    experiment: str = Field("tidemark", min_length=1)
    bootstrap: str | None = None
    topic_prefix: str = ""
    publish_timeout_seconds: float = Field(15.0, gt=0)
    broker_wait_seconds: float = Field(0.0, ge=0)
    code_revision: str | None = None
    approve: Literal["auto", "manual"] = "auto"
    work: Path = Path("var/retraining")

    @field_validator("tracking_uri")
    @classmethod
    def _scheme(cls, value: str) -> str:
        if _BARE.fullmatch(value):
            raise ValueError(f"add http://, as in http://{shown(value)} (a local file is sqlite:///FILE)")
        return value

    @field_validator("bootstrap")
    @classmethod
    def _addresses(cls, value: str | None) -> str | None:
        return kafka_addresses(value) if value else None


def read_settings() -> Settings:
    """The settings of this process. Raises SettingsError, one line that names each wrong variable."""
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(map(_fault, error.errors()))) from error


def slips(names: Iterable[str]) -> Iterator[str]:
    """A line for each of these variables that is nearly a setting."""
    return misspelt(names, PREFIX, Settings.model_fields)


def _fault(fault: ErrorDetails) -> str:
    name = PREFIX + "_".join(map(str, fault["loc"])).upper()
    given = shown(fault["input"]) if name.endswith("_URI") else fault["input"]
    return f"{name}={given!r}: {fault['msg'].removeprefix('Value error, ')}"
