"""Settings of the API, from the environment: API_MODEL and so on, one for each field below."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.errors import SettingsError
from contracts.addresses import kafka_addresses
from contracts.misspelt import misspelt

PREFIX = "API_"
_MIB = 1 << 20

_ORIGIN = re.compile(r"https?://[^/?#@\s,*]+")

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]*$", max_length=100)]


class ApiSettings(BaseSettings):
    """Everything the API can be told. Frozen; built once, in the entry point."""

    # without ignore_empty an empty line in an .env file would mean "no Redis at an empty address"
    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 for all.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one and prints it.")

    tls_cert_file: Path | None = Field(
        None,
        description="PEM: the server's certificate, then those that lead to its authority. With it the port speaks "
        "HTTPS alone; followed while it is renewed.",
    )
    tls_key_file: Path | None = Field(
        None, description="PEM: the key of that certificate, without a password, closed to others (mode 0600)."
    )
    keys_file: Path | None = Field(
        None, description="API keys, made with `python -m api keys add`; without it everybody is let in."
    )
    cors_origins: str = Field(
        "",
        description="Origins whose pages may call this API from a browser, as https://a.example,https://b.example; "
        "* for all. Without it none may.",
    )

    workers: int = Field(
        1, ge=1, le=64, description="Processes that answer on the port; each has an outbox slot of its own."
    )

    model: str = Field(min_length=1, description="Name of the registered model to serve.")
    model_alias: str = Field("champion", min_length=1, description="The alias whose version answers.")
    model_poll_seconds: float = Field(2.0, ge=0.1, le=3600, description="How often the alias is looked up.")
    tracking_uri: str = Field(
        min_length=1, description="MLflow's registry, such as sqlite:///FILE or http://mlflow:5000."
    )
    model_cache: Path = Field(
        Path("var/api/models"), description="The last champion is kept here, for a start without the registry."
    )

    standby: bool = Field(
        True,
        description="Keep the champion before and the challenger loaded: going back, and on, then takes no loading.",
    )
    shadow_queue: int = Field(
        2048, ge=1, le=1_000_000, description="Answered rows that may wait for a shadow; what is beyond is skipped."
    )

    bootstrap: str = Field(description="Kafka's addresses, as host:port[,host:port].")
    topic_prefix: Name = Field("", description="Put before every topic, to share a broker.")
    linger_ms: int = Field(20, ge=0, le=10_000, description="Pause before an emptied outbox is looked at again.")
    give_way_seconds: float = Field(
        2.0,
        ge=0,
        le=60,
        description="While many rows of batches are answered, events wait so long before they are sent.",
    )
    ack_warn_seconds: float = Field(
        5.0, gt=0, description="Kafka counts as away when it has acknowledged nothing for so long."
    )
    ack_limit_seconds: float = Field(
        30.0, gt=0, description="After so long a group is sent again through a new connection."
    )

    redis_url: str | None = Field(
        None, pattern=r"^(rediss?|unix)://", description="Redis for the look-ups; without it they answer 503."
    )
    redis_prefix: str = Field("tidemark:", max_length=100, description="Put before every key in Redis.")
    mirror_ttl_seconds: int = Field(24 * 3600, ge=1, description="A prediction can be looked up for so long.")
    mirror_cap: int = Field(10_000, ge=1, description="Length of the list of recent predictions.")
    mirror_entity_cap: int = Field(
        100, ge=1, le=10_000, description="Length of the list of one entity's recent predictions."
    )

    outbox_dir: Path = Field(
        Path("var/api/outbox"), description="Events not yet acknowledged by Kafka: a disk that outlives the process."
    )
    outbox_max_bytes: int = Field(
        1024 * _MIB,
        ge=_MIB,
        description="Bound on unacknowledged bytes; 1 GiB is some 1.5 million events. Beyond it predictions get 503. "
        "As many may lie aside, should the topic not take them.",
    )
    outbox_sync: Literal["second", "group"] = Field(
        "second", description="What a power cut may take: the last second, or nothing (slower)."
    )
    label_outbox_max_bytes: int = Field(
        256 * _MIB,
        ge=_MIB,
        description="Bound on unacknowledged bytes of labels; 256 MiB is some 600,000. Beyond it labels get 503.",
    )
    label_skew_seconds: float = Field(
        60.0,
        ge=0,
        le=86_400,
        description="How far the clocks of those who send labels may be ahead of ours, or behind an event's.",
    )
    receipt_keys_file: Path | None = Field(
        None,
        description="Keys of receipts, one a line, the first signs; shared by all hosts. Without it one is made in the "
        "outbox directory.",
    )
    idempotency_seconds: float = Field(
        86_400.0, ge=1, description="A request sent again with its Idempotency-Key gets its first answer for so long."
    )
    idempotency_max_bytes: int = Field(
        256 * _MIB, ge=_MIB, description="Disk for idempotency keys and answers; beyond it the oldest are forgotten."
    )
    adopt_seconds: float = Field(
        10.0, ge=0.1, description="How often outboxes left by dead processes are looked for, to drain them."
    )

    batch_rows: int = Field(256, ge=1, le=4096, description="Most rows scored at a time.")
    body_limit_bytes: int = Field(65_536, ge=1024, le=512 * 1024, description="Longest body of a prediction request.")
    batch_limit_rows: int = Field(1000, ge=1, le=10_000, description="Most rows in one request of POST /predict/batch.")
    batch_body_limit_bytes: int = Field(
        2 * _MIB, ge=1024, le=16 * _MIB, description="Longest body of a request of POST /predict/batch."
    )
    header_timeout_seconds: float = Field(
        10.0,
        gt=0,
        le=3600,
        description="A connection whose next request's headers take longer is closed, and one that takes nothing of "
        "its answers for so long.",
    )
    body_timeout_seconds: float = Field(
        10.0, gt=0, le=3600, description="A body that is not there after so long gets 408, and its connection ends."
    )
    max_waiting: int = Field(
        1024, ge=1, description="Rows that may wait to be scored; with more, new predictions get 503 at once."
    )
    explain_timeout_seconds: float = Field(
        10.0, ge=0.1, le=600, description="Time limit of POST /explain, waiting included; beyond it 503."
    )
    explain_queue: int = Field(16, ge=1, le=10_000, description="Explanations that may wait or be made at a time.")
    max_batches: int = Field(
        16, ge=1, description="Batches that are worked on at a time; with more, further ones get 503 at once."
    )
    event_time_future_days: float = Field(
        366.0, gt=0, le=36_500, description="An event_time further ahead than this is refused as absurd."
    )
    drain_seconds: float = Field(
        5.0, ge=0, description="After SIGTERM the outbox is drained for so long; the next start sends the rest."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="debug, info, warning or error."
    )
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="json or text; auto is text on a terminal and json elsewhere."
    )

    _addresses = field_validator("bootstrap")(kafka_addresses)

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, given: str) -> str:
        for origin in filter(None, map(str.strip, given.split(","))):
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is no origin: write https://host or https://host:port, without a path")
        return given


def load_settings() -> ApiSettings:
    """From the environment. Raises SettingsError, one line that names each wrong or missing variable."""
    try:
        return ApiSettings()
    except ValidationError as error:
        raise SettingsError("; ".join(_fault(fault) for fault in error.errors())) from error


def slips(names: Iterable[str]) -> Iterator[str]:
    """A line for each of these variables that is nearly a setting."""
    return misspelt(names, PREFIX, ApiSettings.model_fields)


def _fault(fault: ErrorDetails) -> str:
    name = PREFIX + "_".join(map(str, fault["loc"])).upper()
    if fault["type"] == "missing":
        return f"{name} is not set"
    # an address may hold a password
    given = "" if name.endswith(("_URL", "_URI")) else f" (it is {fault['input']!r})"
    return f"{name}: {fault['msg'].removeprefix('Value error, ')}{given}"
