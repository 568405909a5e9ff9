"""What every command of `python -m training` does: build from the settings, print lines, end in one line on errors."""

from __future__ import annotations

import getpass
import logging
import os
import socket
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from contracts.errors import ContractError
from training.errors import TrainingError
from training.settings import Settings, read_settings, slips

if TYPE_CHECKING:
    from training.promotion.change import Tools
    from training.registry.registered import Registered
    from training.registry.store import Registry
    from training.topics.baselines import Publisher
    from training.topics.model_events import ModelEvents


def given_settings() -> Settings:
    """The settings of this process; variables that are nearly one are told on stderr. Raises SettingsError."""
    for line in slips(os.environ):
        print(f"warning: {line}", file=sys.stderr)
    return read_settings()


def registry_of(settings: Settings) -> Registry:
    """Not opened yet."""
    from training.registry.store import Registry

    return Registry(settings.tracking_uri, settings.artifacts, settings.experiment)


def registered_of(settings: Settings, model: str | None) -> Registered:
    """Of an opened registry. model None: the only one that there is. Raises RegistryError."""
    from training.registry.registered import Registered, only_model

    registry = registry_of(settings)
    registry.open()
    return Registered(registry, only_model(registry) if model is None else model)


def publisher_of(settings: Settings) -> Publisher | None:
    """None where no broker is configured."""
    from training.topics.baselines import Publisher

    if not settings.bootstrap:
        return None
    return Publisher(
        settings.bootstrap, settings.topic_prefix, settings.publish_timeout_seconds, settings.broker_wait_seconds
    )


def model_events_of(settings: Settings) -> ModelEvents | None:
    """None where no broker is configured."""
    from training.topics.model_events import ModelEvents

    if not settings.bootstrap:
        return None
    return ModelEvents(settings.bootstrap, settings.topic_prefix, settings.publish_timeout_seconds)


def tools() -> Tools:
    """The clocks and ids of this process."""
    from training.promotion.change import Tools

    return Tools(lambda: datetime.now(UTC), time.monotonic, lambda: str(uuid.uuid4()))


def somebody() -> str:
    """Who started this process, as `user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user has no name
        user = f"uid-{os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def say(lines: list[str]) -> None:
    """Print them."""
    for line in lines:
        typer.echo(line)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """An error that is meant for the user becomes one line on stderr and exit status 2."""
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # or it says the same before, in words of its own
    try:
        yield
    except (TrainingError, ContractError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from error
