"""YAML into a typed struct, with errors that name the field by its path: `search.space.learning_rate: ...`."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from training.errors import TrainingError

T = TypeVar("T")


def read_yaml(text: bytes, into: type[T], file: str, raises: type[TrainingError]) -> T:
    """What the text says; an empty one says nothing, so every field has its default. file: for the error's line."""
    try:
        return msgspec.yaml.decode(text if text.strip() else b"{}", type=into)
    except msgspec.ValidationError as error:
        raise raises(f"{file}: {_by_path(str(error))}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise raises(f"{file}: not YAML: {' '.join(str(error).split())[:200]}") from error


def _by_path(said: str) -> str:
    """msgspec's `text - at `$.a[...].b`` as `a.b: text`."""
    text, _, path = said.partition(" - at `$")
    name = path.rstrip("`").replace("[...]", "").lstrip(".")
    return f"{name + ': ' if name else ''}{text[:1].lower()}{text[1:]}"
