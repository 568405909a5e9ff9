"""The file of receipt keys: one key a line, 64 hexadecimal digits. The first one signs, all of them verify.

    # made by the API                        what follows a # is for people
    5f0c...e1                                signs
    9ab2...07                                signed before, and is still taken

Without API_RECEIPT_KEYS_FILE a file is made at the first start, beside the outbox, by one of the workers that start at
the same time. Whoever can read it can make receipts: it is for its owner alone (mode 0600).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from api.errors import SettingsError
from api.receipts.receipt import KEY_BYTES, Key
from api.secret_file import alone, replace

Keys = tuple[Key, ...]
DEFAULT_NAME = "receipt-keys"
"""In the outbox directory."""
_HELP = "make one with `python -m api receipts new-key`, or leave the setting out"


def new_key() -> Key:
    """From the system's randomness."""
    return Key(secrets.token_bytes(KEY_BYTES))


def read(path: Path) -> Keys:
    """Raises SettingsError: one line that names the file, the line and the fix."""
    try:
        return parse(path.read_text("ascii", "replace"))
    except FileNotFoundError as error:
        raise SettingsError(f"API_RECEIPT_KEYS_FILE: {path} does not exist: {_HELP}") from error
    except OSError as error:
        raise SettingsError(f"API_RECEIPT_KEYS_FILE: {path} cannot be read: {error.strerror}") from error
    except SettingsError as error:
        raise SettingsError(f"API_RECEIPT_KEYS_FILE: {path}: {error}") from error


def parse(text: str) -> Keys:
    """The keys of a file's text. Raises SettingsError, which repeats nothing of a key and does not name the file.

    >>> [key.id.hex() for key in parse("00" * 32 + "  # the first")]
    ['444fbab8']
    """
    keys: list[Key] = []
    for number, line in enumerate(text.splitlines(), 1):
        word = line.partition("#")[0].strip()
        if not word:
            continue
        try:
            secret = bytes.fromhex(word)
        except ValueError:
            secret = b""
        if len(secret) != KEY_BYTES:
            raise SettingsError(f"line {number} is no key of {2 * KEY_BYTES} hexadecimal digits: {_HELP}")
        key = Key(secret)
        if key.id in (other.id for other in keys):
            raise SettingsError(f"line {number}: key {key.id.hex()} is there twice: leave one out")
        keys.append(key)
    if not keys:
        raise SettingsError(f"has no key: {_HELP}")
    return tuple(keys)


def read_or_make(path: Path) -> Keys:
    """The file's keys; of several processes that find no file one makes it, and all have the same key.

    Raises SettingsError.
    """
    if not path.exists():
        change(path, lambda keys: keys or (new_key(),))
    return read(path)


def change(path: Path, edit: Callable[[Keys], Keys]) -> None:
    """Replace the keys by `edit` of them. The file may not be there yet; two changes at a time wait for each other.

    Raises SettingsError, also what `edit` raises of it, and then the file is as it was.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with alone(path.parent):
            before = read(path) if path.exists() else ()
            after = edit(before)
            if after != before:
                replace(path, _written(after))
    except OSError as error:
        raise SettingsError(f"API_RECEIPT_KEYS_FILE: {path} cannot be written: {error.strerror}") from error


def _written(keys: Sequence[Key]) -> bytes:
    lines = [f"{key.secret.hex()}  # {key.id.hex()}{' signs' if at == 0 else ''}\n" for at, key in enumerate(keys)]
    return "".join(lines).encode()
