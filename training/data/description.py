"""Description: what the columns of a data file mean. It is the file `dataset.toml` that a user writes next to his data.

name = "flights"
file = "reference.parquet"     # or .csv; relative to this file
label = "late"                 # 1 or true: the positive class
time = "event_time"            # optional
entity = "flight"              # optional

[[features]]
name = "distance"
kind = "numeric"               # or "categorical", "boolean"
nullable = false               # optional, default true
monitored = true               # optional, default true
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import msgspec

from contracts.errors import InvalidSchema
from contracts.schema import Feature, FeatureSchema
from training.errors import DataError

FILE_NAME = "dataset.toml"


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the columns of a data file mean. label may be None for a file that only a baseline is fitted to."""

    name: str
    file: str
    features: tuple[Feature, ...]
    label: str | None = None
    time: str | None = None
    entity: str | None = None

    def __post_init__(self) -> None:
        roles = {"label": self.label, "time": self.time, "entity": self.entity}
        for role, column in roles.items():
            if column is None:
                continue
            if role != "entity" and any(feature.name == column for feature in self.features):
                raise InvalidSchema(f"column {column!r} is the {role} and also a feature: remove it from the features")

    @property
    def schema(self) -> FeatureSchema:
        """The features as the model takes them. Raises InvalidSchema."""
        return FeatureSchema(self.features)

    def to_toml(self) -> str:
        """The text of `dataset.toml`."""
        head = {"name": self.name, "file": self.file, "label": self.label, "time": self.time, "entity": self.entity}
        lines = [f"{key} = {_text(value)}" for key, value in head.items() if value is not None]
        for feature in self.features:
            lines += ["", "[[features]]", f"name = {_text(feature.name)}", f"kind = {_text(feature.kind)}"]
            lines += [f"nullable = {str(feature.nullable).lower()}", f"monitored = {str(feature.monitored).lower()}"]
        return "\n".join(lines) + "\n"


def read_description(path: Path) -> tuple[Description, Path]:
    """The description at `path` (a folder that holds `dataset.toml`, or the file itself) and the data file it names.

    Raises DataError.
    """
    file = path / FILE_NAME if path.is_dir() else path
    if not file.is_file():
        raise DataError(f"{file}: no such file: give a folder with a {FILE_NAME}, or the path of one")
    try:
        description = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Description)
        _ = description.schema
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: not a TOML file: {error}") from error
    except (msgspec.ValidationError, InvalidSchema) as error:
        raise DataError(f"{file}: {error}") from error
    return description, file.parent / description.file


def _text(value: str) -> str:
    """A TOML basic string: JSON's escapes are a subset of TOML's."""
    return json.dumps(value)
