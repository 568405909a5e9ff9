"""Settings of the stream, from the environment: STREAM_BOOTSTRAP and so on, one for each field below."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.addresses import kafka_addresses
from contracts.misspelt import misspelt
from contracts.topics import LABEL_PARTIALS, WINDOW_PARTIALS, Topic
from stream_app.errors import SettingsError

LogLevel = Literal["debug", "info", "warning", "error"]
PREFIX = "STREAM_"
WORKER = "/tidemark/stream_app/worker"

_YEAR = 366 * 86400.0
"""Seconds. Without a bound `inf` would be taken here and break the arithmetic of milliseconds in a running worker."""

_EXAMPLES = {"bootstrap": f": for example {PREFIX}BOOTSTRAP=127.0.0.1:9092"}
"""What to write for a setting that has no default."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]*$", max_length=100)]


class StreamSettings(BaseSettings):
    """Everything a worker can be told. Frozen; built once, in the entry point."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    bootstrap: str = Field(description="Kafka's addresses, as host:port[,host:port].")
    topic_prefix: Name = Field("", description="Put before every topic and group, to share a broker.")
    app_id: Name = Field("tidemark", min_length=1, description="Names the consumer group and the state topics.")
    worker_id: Name = Field(
        "", description="A name this worker keeps over restarts: a quick restart then moves no partition."
    )

    window_seconds: int = Field(60, ge=1, le=31 * 86400, description="Length of a window, aligned to the epoch (UTC).")
    lateness_seconds: float = Field(5.0, ge=0, le=_YEAR, description="How far out of order event times may be.")
    idle_seconds: float = Field(
        10.0, gt=0, le=_YEAR, description="A partition without events and without lag for so long holds nobody back."
    )
    max_future_seconds: float = Field(
        300.0,
        ge=0,
        le=_YEAR,
        description="An event this far ahead of the broker's clock is refused: its clock is wrong.",
    )
    max_age_seconds: float = Field(
        7 * 86400.0, gt=0, le=100 * _YEAR, description="An event this far behind the broker's clock is refused."
    )

    preset: str = Field("calibrated", description="The decision rule, by name: calibrated or classic.")
    n_min: int = Field(200, ge=1, description="Fewer events than this are merged with the next window.")
    page_after: int = Field(2, ge=1, description="Page when a feature alarms in so many ...")
    page_of_last: int = Field(3, ge=1, description="... of so many of its last windows.")
    resolve_after: int = Field(3, ge=1, description="Clean windows that resolve an incident.")
    critical_effect: float = Field(0.25, gt=0, le=1, description="An effect of this size makes an alert critical.")
    critical_rate_jump: float = Field(
        0.5, gt=0, le=1, description="So does a rate of missing, out-of-range or unseen values that rose by this ..."
    )
    critical_score_change: float = Field(
        0.05, gt=0, le=1, description="... and an expected change of the mean score by this, up or down."
    )
    page_harmless: bool = Field(False, description="Page for drift that hardly changes the mean score, too.")
    remind_after_seconds: float = Field(
        86400.0,
        ge=0,
        le=_YEAR,
        description="An incident that goes on is said again after this, by the windows' time; 0: never.",
    )

    label_delay_seconds: float = Field(
        30 * 86400.0, gt=0, le=10 * _YEAR, description="Labels count for so long after the end of their window."
    )
    performance_seconds: float = Field(
        10.0, gt=0, le=86400, description="A window's performance is reported anew at most this often."
    )
    performance_min_labels: int = Field(200, ge=1, description="Fewer labels than this are not judged.")
    performance_min_coverage: float = Field(
        0.95, gt=0, le=1, description="A window is judged when so much of it is labelled, or when it is final."
    )

    metrics_port: int | None = Field(None, ge=0, le=65535, description="Serve Prometheus metrics there; 0 takes any.")
    log_level: LogLevel = Field("info", description="debug, info, warning or error.")

    session_timeout_seconds: float = Field(
        10.0,
        ge=6,  # Kafka takes no less, unless its group.min.session.timeout.ms is lowered
        le=80,
        description="A silent worker's partitions move after this. 30 is right with a worker id.",
    )
    fetch_max_wait_ms: int = Field(200, ge=1, le=10_000, description="A fetch waits at most this long for ...")
    fetch_min_bytes: int = Field(
        262144, ge=1, description="... so many bytes. The cost of counting is by batch, so tiny batches burn a core."
    )
    batch_records: int = Field(4096, ge=1, description="Events counted at a time, at most.")
    replication: int = Field(1, ge=1, description="Copies of each topic that `topics` creates.")
    broker_wait_seconds: float = Field(
        300.0,
        ge=0,
        description="At its start a worker tries so long for a broker that is away or not ready, then ends. One that "
        "goes away later is waited for without an end. Commands: 10 s at most.",
    )

    _addresses = field_validator("bootstrap")(kafka_addresses)

    @property
    def group(self) -> str:
        """The consumer group of the workers; the state topics are named after it."""
        return f"{self.topic_prefix}{self.app_id}"

    @property
    def performance_group(self) -> str:
        """The consumer group of the processes that count labels; their state topics are named after it."""
        return f"{self.group}-performance"

    @property
    def labels_topic(self) -> str:
        """The state of the labels' stage 1: open windows and positions by source partition."""
        return f"{self.performance_group}-labels-changelog"

    @property
    def revisions_topic(self) -> str:
        """The state of the labels' stage 2: parts of open windows, and versions."""
        return f"{self.performance_group}-revisions-changelog"

    @property
    def source(self) -> str:
        """Who wrote a report, an alert or a dead letter (`ce_source`): with another app id the same ids come again."""
        return f"{WORKER}/{self.group}"

    @property
    def counts_topic(self) -> str:
        """The state of stage 1: open windows and positions by source partition."""
        return f"{self.group}-counts-changelog"

    @property
    def windows_topic(self) -> str:
        """The state of stage 2: partial aggregates that wait, and versions."""
        return f"{self.group}-windows-changelog"

    def topic(self, topic: Topic) -> str:
        """A topic's full name on this installation."""
        if topic is WINDOW_PARTIALS or topic is LABEL_PARTIALS:
            # Private to one group, as the state topics are: with another app id everything is counted anew, and what
            # the former group left here, heartbeats of higher generations above all, is nothing of the new workers'.
            return f"{self.group}-{topic.name}"
        return topic.named(self.topic_prefix)


def load_settings() -> StreamSettings:
    """From the environment. Raises SettingsError, one line that names each wrong or missing variable."""
    try:
        return StreamSettings()
    except ValidationError as error:
        raise SettingsError("; ".join(faults(error))) from error


def slips(names: Iterable[str]) -> Iterator[str]:
    """A line for each of these variables that is nearly a setting."""
    return misspelt(names, PREFIX, StreamSettings.model_fields)


def faults(error: ValidationError, names: Mapping[str, str] | None = None) -> list[str]:
    """What is wrong, each with the variable's name. names: other names, by field, for what did not come from there."""
    return [
        (names or {}).get(str(fault["loc"][0]), f"{PREFIX}{'.'.join(map(str, fault['loc'])).upper()}")
        + (
            f" is not set{_EXAMPLES.get(str(fault['loc'][0]), '')}"
            if fault["type"] == "missing"
            else f": {fault['msg'].removeprefix('Value error, ')} (it is {fault['input']!r})"
        )
        for fault in error.errors()
    ]
