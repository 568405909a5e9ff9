"""What a sink is, and which there are. A new sink is one file beside this one, and one line in SINKS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, Protocol, Self

from pydantic_settings import BaseSettings

from contracts.alerts import DriftAlert
from contracts.misspelt import misspelt
from stream_app import settings as stream
from stream_app.alerting.alertmanager import AlertmanagerSink
from stream_app.alerting.errors import SinkSettingsError
from stream_app.alerting.file import FileSink
from stream_app.alerting.log import LogSink
from stream_app.alerting.pagerduty import PagerDutySink
from stream_app.alerting.settings import PREFIX, SinkSettings
from stream_app.alerting.slack import SlackSink
from stream_app.alerting.webhook import WebhookSink


class Sink(Protocol):
    """Carries alerts to one place. Order, retries, dead letters and offsets are the runner's work, not the sink's."""

    name: ClassVar[str]
    """As in `python -m stream_app sink NAME`; also part of the consumer group's name, so it never changes."""

    settings: ClassVar[type[BaseSettings] | None]
    """What it can be told beside SinkSettings."""

    newest_only: ClassVar[bool]
    """Whether the receiver has one state per incident, which each alert replaces. An alert that is sent again late is
    then left out when its incident has had a later one: a resolved incident would be opened for good."""

    @property
    def destination(self) -> str:
        """Where alerts go, for the log: no secret in it."""

    @classmethod
    def from_environment(cls) -> Self:
        """Build it from its own settings. Raises SinkSettingsError."""

    async def deliver(self, alert: DriftAlert, body: bytes) -> None:
        """One attempt; returns when the receiver has the alert. Raises Retry or Refused.

        body: the record as it lies in Kafka. An attempt may be repeated after a crash: alert.id tells the receiver.
        It must end by itself (timeouts), because a sink that is asked to stop finishes its attempt first.
        """

    async def close(self) -> None:
        """Let go of connections."""


SINKS: tuple[type[Sink], ...] = (LogSink, FileSink, WebhookSink, SlackSink, PagerDutySink, AlertmanagerSink)


def sink_named(name: str) -> type[Sink]:
    """The class of the sink. Raises SinkSettingsError when there is none of this name."""
    for sink in SINKS:
        if sink.name == name:
            return sink
    raise SinkSettingsError(f"there is no sink {name!r}: choose one of {', '.join(sink.name for sink in SINKS)}")


def slips(names: Iterable[str]) -> Iterator[str]:
    """A line for each of these variables that is nearly a sink's setting, or one of the stream's: a sink reads two."""
    names, fields = tuple(names), list[str]()
    # of all sinks: the settings of one are no slip where another runs
    told: list[type[BaseSettings]] = [SinkSettings, *(sink.settings for sink in SINKS if sink.settings is not None)]
    for settings in told:
        prefix = settings.model_config["env_prefix"].removeprefix(PREFIX)
        fields += (prefix + field for field in settings.model_fields)
    yield from misspelt(names, PREFIX, fields)
    yield from stream.slips(names)
