"""Settings that every sink shares. What one sink alone needs (a URL, a secret) is declared in that sink's own file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AliasChoices, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.addresses import kafka_addresses
from stream_app.alerting.errors import SinkSettingsError

PREFIX = "SINK_"
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Class = TypeVar("Class", bound=BaseSettings)
First = TypeVar("First")
Second = TypeVar("Second")


class SinkSettings(BaseSettings):
    """`SINK_*`. Kafka's address and the topic prefix may also come from the worker's `STREAM_*` settings."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True)

    bootstrap: str = Field(
        validation_alias=AliasChoices("SINK_BOOTSTRAP", "STREAM_BOOTSTRAP"), examples=["127.0.0.1:9092"]
    )
    topic_prefix: str = Field(
        "", pattern=r"^[A-Za-z0-9._-]*$", validation_alias=AliasChoices("SINK_TOPIC_PREFIX", "STREAM_TOPIC_PREFIX")
    )
    # Where a sink begins that never ran before. `earliest`: every alert the topic still has, so that none is missed.
    start: Literal["earliest", "latest"] = "earliest"
    # An alert is given up after so many attempts or so much time, whichever comes first, and becomes a dead letter.
    attempts: int = Field(30, ge=1)
    give_up_after_seconds: Seconds = 1800.0
    first_delay_seconds: Seconds = 1.0
    greatest_delay_seconds: Seconds = 60.0
    # Prometheus is served only when a port is given.
    metrics_port: int | None = Field(None, ge=1, le=65535)
    metrics_host: str = "127.0.0.1"

    _addresses = field_validator("bootstrap")(kafka_addresses)


def load(settings: type[Class]) -> Class:
    """Read settings from the environment. Raises SinkSettingsError, one line that names each wrong variable.

    A setting without a default has an example in its Field: it is what the line tells where nothing is set.
    """
    try:
        return settings()
    except ValidationError as error:
        raise SinkSettingsError("; ".join(_words(settings, problem) for problem in error.errors())) from None


def both(first: Callable[[], First], second: Callable[[], Second]) -> tuple[First, Second]:
    """What the two make. Raises one SinkSettingsError that names what is wrong with either: nobody likes to mend
    settings one start at a time.
    """
    try:
        made = first()
    except SinkSettingsError as error:
        try:
            second()
        except SinkSettingsError as other:
            raise SinkSettingsError(f"{error}; {other}") from None
        raise
    return made, second()


def _words(settings: type[BaseSettings], problem: Any) -> str:
    """The value itself is left out: it may be a secret."""
    prefix = str(settings.model_config.get("env_prefix", ""))
    name = str(problem["loc"][0])  # an alias where the field has one
    variable = name if name.isupper() else f"{prefix}{name}".upper()
    if problem["type"] == "missing":
        examples = settings.model_fields[variable.removeprefix(prefix).lower()].examples or []
        return f"{variable} is not set" + "".join(f": for example {variable}={example}" for example in examples[:1])
    return f"{variable}: {problem['msg'].removeprefix('Value error, ')}"
