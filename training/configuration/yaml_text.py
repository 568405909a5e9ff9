"""YAML into a typed struct, with errors that name the field by its path: `search.space.learning_rate: ...`."""

from __future__ import annotations

import difflib
import re
from typing import Any, TypeVar, get_args

import msgspec

from training.errors import TrainingError

T = TypeVar("T")


def read_yaml(text: bytes, into: type[T], file: str, raises: type[TrainingError]) -> T:
    """What the text says; an empty one says nothing, so every field has its default. file: for the error's line."""
    try:
        return msgspec.yaml.decode(text if text.strip() else b"{}", type=into)
    except msgspec.ValidationError as error:
        raise raises(f"{file}: {_by_path(str(error), into)}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise raises(f"{file}: not YAML: {' '.join(str(error).split())[:200]}") from error


def _by_path(said: str, into: Any) -> str:
    """msgspec's `text - at `$.a[...].b`` as `a.b: text`; of an unknown field also which ones there are."""
    text, _, path = said.partition(" - at `$")
    name = path.rstrip("`").replace("[...]", "").lstrip(".")
    unknown = re.search("unknown field `(.*)`", text)
    hint = "" if unknown is None else _fields(unknown[1], name.split(".") if name else [], into)
    return f"{name + ': ' if name else ''}{text[:1].lower()}{text[1:]}{hint}"


def _fields(unknown: str, path: list[str], into: Any) -> str:
    """The field that was meant, and all that there are. path: from `into` to the struct that has them, without the
    keys of mappings.
    """
    here = _struct_in(into)
    for part in path:
        known = {} if here is None else {one.encode_name: one.type for one in msgspec.structs.fields(here)}
        here = _struct_in(known.get(part))
    if here is None:
        return ""
    names = [one.encode_name for one in msgspec.structs.fields(here)]
    near = difflib.get_close_matches(unknown, names, 1)
    return f": {f'did you mean {near[0]}? ' if near else ''}there are {', '.join(names)}"


def _struct_in(found: Any) -> Any:
    """The struct itself, or the first one in Optional[it], dict[str, it], tuple[it, ...]; None: there is none."""
    if isinstance(found, type) and issubclass(found, msgspec.Struct):
        return found
    return next((inner for one in get_args(found) if (inner := _struct_in(one)) is not None), None)
