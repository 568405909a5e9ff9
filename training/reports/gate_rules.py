"""Where the gates' thresholds are read from."""

from __future__ import annotations

from pathlib import Path

from training.errors import SettingsError
from training.gates.rules import Rules, read_rules


def rules_from(asked: Path | None, usual: Path) -> Rules:
    """Of the file that was asked for, else of the usual one, else the built-in ones. Raises SettingsError."""
    file = asked or usual
    if asked is None and not file.is_file():
        return Rules()
    try:
        return read_rules(file.read_bytes(), str(file))
    except OSError as error:
        raise SettingsError(f"--rules {file}: cannot be read: {error.strerror}") from error
