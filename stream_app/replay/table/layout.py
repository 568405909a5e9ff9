"""Where the fields of an event are in a table, and what is missing. Every fault is one line that names the column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pyarrow as pa

from contracts.baseline import Baseline
from stream_app.errors import ReplayError
from stream_app.replay.table import arrow_values
from stream_app.windowing.typed import Version

_REQUIRED = ("event_time", "score")
_FIELDS = (*_REQUIRED, "id", "decision", "model", "model_version")
"""What a table has beside features; each is the name of its column unless --column says otherwise."""
_SHOWN = 40
"""Columns named in an error."""
_SHOWN_NAME = 80
"""Characters of a column's name in an error."""
_SEPARATORS = {";": "semicolon", "\t": "tab", "|": "vertical bar"}
"""What tables are separated by that are not separated by commas."""


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says of a table. columns: by field or feature, where the name differs. model, version: of
    every row; None: in a column. assume_utc: times without a zone are UTC.
    """

    columns: Mapping[str, str] = {}
    model: str | None = None
    version: str | None = None
    assume_utc: bool = False


class Columns:
    """The columns of one file. model, version: of every row; None: in a column. Raises ReplayError."""

    def __init__(self, file: str, schema: Any, layout: Layout, baselines: Mapping[Version, Baseline]) -> None:
        self._file, self._schema, self._layout, self._baselines = file, schema, layout, baselines
        self._fitting: set[Version] = set()
        features = {feature.name for baseline in baselines.values() for feature in baseline.schema.features}
        for name, column in layout.columns.items():
            if name not in features and name not in _FIELDS:
                raise ReplayError(f"--column {name}={column}: there is no field and no monitored feature {name!r}")
            self._require(name, "--column names it")
        for name in _REQUIRED:
            self._require(name, "every event has one")
        self._check_times()
        self.model = self._of_every_row("model", layout.model, "--model", 0)
        self.version = self._of_every_row("model_version", layout.version, "--model-version", 1)
        if self.model is not None and self.version is not None:
            self.fit((self.model, self.version))

    def name(self, field: str) -> str:
        """The column of a field or feature."""
        return self._layout.columns.get(field, field)

    def has(self, field: str) -> bool:
        """Whether the file has it."""
        return self.name(field) in self._schema.names

    def of(self, rows: Any, field: str) -> Any:
        """The column of a field, of rows or of a whole table."""
        column = rows.column(self.name(field))
        return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column

    @property
    def wanted(self) -> list[str]:
        """The columns to be read, in the order of the file."""
        names = {feature.name for baseline in self._baselines.values() for feature in baseline.schema.monitored}
        columns = {self.name(field) for field in names.union(_FIELDS)}
        return [column for column in self._schema.names if column in columns]

    def fit(self, version: Version) -> Baseline:
        """The baseline of a version that the file has rows of."""
        baseline = self._baselines.get(version)
        if baseline is None:
            there = ", ".join("/".join(known) for known in self._baselines) or "none"
            raise ReplayError(f"no baseline for {'/'.join(version)}; there is {there}: give one with --baseline FILE")
        if version not in self._fitting:
            for feature in baseline.schema.monitored:
                self._require(feature.name, f"{baseline.key} has a feature of that name")
                type_ = self._type(feature.name)
                if not arrow_values.fits(feature.kind, type_):
                    raise ReplayError(
                        f"--file {self._file}: column {self.name(feature.name)!r} holds {type_}, the baseline of "
                        f"{baseline.key} says {feature.kind}: convert it, or choose another with --column"
                    )
            self._fitting.add(version)
        return baseline

    def _require(self, field: str, why: str) -> None:
        if not self.has(field):
            self._check_separator()
            there = ", ".join(self._schema.names[:_SHOWN])
            raise ReplayError(
                f"--file {self._file}: no column {self.name(field)!r} ({why}); it has {there}: "
                f"name the right one with --column {field}=COLUMN"
            )

    def _check_separator(self) -> None:
        """One column with another separator in its name is a file that is separated otherwise."""
        (only, *others) = self._schema.names or [""]
        mark = next((words for sign, words in _SEPARATORS.items() if sign in only), None)
        if not others and mark is not None:
            raise ReplayError(
                f"--file {self._file}: it has one column, {only[:_SHOWN_NAME]!r}: the separator must be a comma, and "
                f"here it seems to be a {mark}: write the file anew with commas (and a decimal point)"
            )

    def _check_times(self) -> None:
        name, type_ = self.name("event_time"), self._type("event_time")
        if not arrow_values.holds_times(type_):
            raise ReplayError(
                f"--file {self._file}: column {name!r} holds {type_}, not times: write them in ISO 8601, such as "
                "2026-01-31T12:00:00Z, or as timestamps with a zone"
            )
        if pa.types.is_timestamp(type_) and type_.tz is None and not self._layout.assume_utc:
            raise ReplayError(f"--file {self._file}: the times in {name!r} have no zone: give --utc if they are UTC")

    def _of_every_row(self, field: str, given: str | None, option: str, part: int) -> str | None:
        if given is not None or self.has(field):
            return given
        there = {version[part] for version in self._baselines}
        if len(there) == 1:
            return there.pop()
        raise ReplayError(
            f"--file {self._file}: no column {self.name(field)!r}, and the baselines are of "
            f"{', '.join(sorted(there)) or 'none'}: say whose events they are with {option}"
        )

    def _type(self, field: str) -> Any:
        return self._schema.field(self.name(field)).type
