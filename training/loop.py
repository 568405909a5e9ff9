"""Loop: when to retrain, and how a new version gets in front of users. It is the file `loop.yaml`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from training.configuration.yaml_text import read_yaml
from training.errors import ConfigError
from training.retraining.policy import Rules
from training.rollout.policy import Limits, Steps

USUAL = Path("loop.yaml")


class Rollout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a version gets in front of users."""

    steps: Steps = Steps()
    limits: Limits = Limits()


class Loop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """loop.yaml at the root shows every field with its default."""

    retraining: Rules = Rules()
    rollout: Rollout = Rollout()


def loop_from(asked: Path | None, usual: Path = USUAL) -> Loop:
    """Of the file that was asked for, else of the usual one, else the defaults. Raises ConfigError."""
    file = asked or usual
    if asked is None and not file.is_file():
        return Loop()
    try:
        text = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"--loop {file}: {error.strerror}: give the path of a loop.yaml") from error
    return read_yaml(text, Loop, str(file), ConfigError)
