"""The file of API keys: JSON, one entry for each key. Read whole or not at all; written so that no reader sees half.

{"v": 1, "keys": [{"id": "3f9a0c1b2d4e", "name": "checkout", "hash": "sha256:...", "scopes": ["predict"],
                   "expires": "2027-01-31T00:00:00Z", "rate": 100, "burst": 200}]}
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from api.errors import SettingsError
from api.guard.keys import KeyEntry
from api.secret_file import alone, replace

Entries = tuple[KeyEntry, ...]
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)  # msgspec lets the last two through
_HELP = "make a key with `python -m api keys add`"


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Entries stay raw, so that a fault can be told with the place of its entry."""

    v: Literal[1]
    keys: tuple[msgspec.Raw, ...]


class _File(msgspec.Struct, frozen=True):
    v: int
    keys: Entries


def read(path: Path) -> Entries:
    """Raises SettingsError: one line that names the file, the entry and the fix."""
    try:
        return parse(path.read_bytes())
    except FileNotFoundError as error:
        raise SettingsError(f"API_KEYS_FILE: {path} does not exist: {_HELP}, or leave the setting out") from error
    except OSError as error:
        raise SettingsError(f"API_KEYS_FILE: {path} cannot be read: {error.strerror}") from error
    except SettingsError as error:
        raise SettingsError(f"API_KEYS_FILE: {path}: {error}") from error


def parse(data: bytes) -> Entries:
    """The entries of a file's bytes. Raises SettingsError, without the name of the file."""
    try:
        envelope = msgspec.json.decode(data, type=_Envelope)
    except _UNREADABLE as error:
        raise SettingsError(f'not {{"v": 1, "keys": [...]}}: {error}') from error
    entries = tuple(_entry(number, raw) for number, raw in enumerate(envelope.keys, 1))
    for field in ("id", "name"):
        values = [getattr(entry, field) for entry in entries]
        for number, value in enumerate(values, 1):
            if value in values[: number - 1]:
                raise SettingsError(f"entry {number}: {field} {value} is there twice: give each key its own")
    return entries


def _entry(number: int, raw: msgspec.Raw) -> KeyEntry:
    try:
        entry = msgspec.json.decode(raw, type=KeyEntry)
    except _UNREADABLE as error:
        raise SettingsError(f"entry {number}: {error}") from error
    if (entry.rate is None) != (entry.burst is None):
        raise SettingsError(f"entry {number} ({entry.name}): rate and burst belong together: give both, or neither")
    return entry


def change(path: Path, edit: Callable[[Entries], Entries]) -> None:
    """Replace the entries by `edit` of them. The file may not be there yet; two changes at a time wait for each other.

    Raises SettingsError, also what `edit` raises of it, and then the file is as it was.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with alone(path.parent):
            replace(path, _written(edit(read(path) if path.exists() else ())))
    except OSError as error:
        raise SettingsError(f"API_KEYS_FILE: {path} cannot be written: {error.strerror}") from error


def _written(entries: Entries) -> bytes:
    return msgspec.json.format(msgspec.json.encode(_File(1, entries)), indent=2) + b"\n"
