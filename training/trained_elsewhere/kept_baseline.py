"""The baseline that a version has in MLflow, handed on as it is."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.baseline import Baseline
from training.errors import SettingsError
from training.registry.registered import Registered


def kept_baseline(registered: Registered, version: str, given: Mapping[str, object]) -> Baseline:
    """given: options that only make sense for rows of a file. Raises SettingsError where there are some."""
    if asked := [option for option, value in given.items() if value]:
        raise SettingsError(f"{asked[0]} needs --reference FILE: without it the version's own baseline is handed on")
    return registered.baseline(registered.find(version))
