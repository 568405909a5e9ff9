"""API keys for tests: the key with a number, and the entry that is kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from api.guard.key_file import change
from api.guard.keys import ID_BYTES, SECRET_BYTES, KeyEntry, hash_of, mint


def a_key(number: int = 1) -> str:
    """The same for the same number."""
    return mint(number.to_bytes(ID_BYTES, "big") + bytes([number % 256]) * SECRET_BYTES).text


def an_entry(number: int = 1, **changes: Any) -> KeyEntry:
    """Of `a_key(number)`: for everything, without end and without a rate."""
    made = a_key(number)
    entry = KeyEntry(made.split("_")[1], f"client-{number}", hash_of(made.encode()), ("predict", "read"))
    return msgspec.structs.replace(entry, **changes)


def bearer(number: int = 1) -> dict[str, str]:
    return {"authorization": f"Bearer {a_key(number)}"}


def write_keys(path: Path, entries: Sequence[KeyEntry]) -> Path:
    """These entries, and no others, are in the file."""
    change(path, lambda _: tuple(entries))
    return path
