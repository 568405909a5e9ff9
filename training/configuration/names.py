"""Names that become part of keys and addresses: a model's (`model/version` is a baseline's key) and an alias."""

from __future__ import annotations

import re

from training.errors import SettingsError

_MODEL = re.compile(r"[^/:\x00-\x1f%#?\\\s](?:[^/:\x00-\x1f%#?\\]*[^/:\x00-\x1f%#?\\\s])?")
_ALIAS = re.compile(r"[\w-]+", re.ASCII)
_TAKEN = re.compile(r"latest|v?\d+", re.IGNORECASE)
_LONGEST = 120


def check_model(name: str, where: str) -> None:
    """where: names the option or field. Raises SettingsError for what MLflow or a key would not take."""
    if not name:
        raise SettingsError(f"{where} is empty: name the model, such as flights")
    if _MODEL.fullmatch(name) is None or len(name) > _LONGEST:
        raise SettingsError(
            f"{where} {name[:_LONGEST]!r}: a model's name has at most {_LONGEST} characters, none of / : % # ? \\, and "
            "no space at its ends"
        )


def check_alias(name: str, where: str) -> None:
    """Likewise of an alias."""
    if _ALIAS.fullmatch(name) is None or len(name) > _LONGEST:
        raise SettingsError(f"{where} {name[:_LONGEST]!r}: an alias is made of letters, digits, - and _")
    if _TAKEN.fullmatch(name):
        raise SettingsError(f"{where} {name!r}: MLflow takes this for a version; use challenger or champion")
