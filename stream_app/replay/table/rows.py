"""Rows of a table: those of each version typed by its schema, and what is of no use refused with a reason."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.baseline import Baseline
from contracts.dead_letters import DETAIL, DeadLetter, Reason
from contracts.schema import Feature
from stream_app.replay.counting import Portion
from stream_app.replay.table import arrow_values
from stream_app.replay.table.file import Block, TableFile, sorted_block
from stream_app.replay.table.layout import Columns, Layout
from stream_app.windowing.accepted import Events, Rows, Share
from stream_app.windowing.typed import Version

_AT_ONCE = 16384
"""Rows of a sorted table counted at a time."""


class TableRows:
    """An opened table whose columns are found. Raises ReplayError, one line that says what to do."""

    def __init__(self, path: Path, layout: Layout, baselines: Mapping[Version, Baseline]) -> None:
        self._name, self._layout, self._baselines = path.name, layout, baselines
        self._file = TableFile(path)
        self._columns = Columns(str(path), self._file.schema, layout, baselines)

    def portions(self, *, sort: bool = False) -> Generator[Portion, None, None]:
        """The rows in their order, or sorted by event time, which takes the whole file into memory. To be closed."""
        with closing(self._file.blocks(self._columns.wanted)) as blocks:
            if not sort:
                for block in blocks:
                    yield self._portion(block, block.numbers)
                return
            whole = sorted_block(blocks, self._order)
        if whole is not None:
            for begin, end in pairwise([*range(0, whole.rows.num_rows, _AT_ONCE), whole.rows.num_rows]):
                part = Block(whole.rows.slice(begin, end - begin), whole.numbers[begin:end], {})
                yield self._portion(part, np.arange(begin, end, dtype=np.intp))
            yield self._portion(Block(whole.rows.slice(0, 0), whole.numbers[:0], whole.torn), whole.numbers[:0])

    def _order(self, table: pa.Table) -> Any:
        times = self._times(table)
        values = times.values.copy()
        for i in sorted(times.wrong):  # it is refused when it is counted; until then it stays behind its neighbour
            values[i] = values[i - 1] if i else 0
        return np.argsort(values, kind="stable")

    def _portion(self, block: Block, offsets: Rows) -> Portion:
        """offsets: of the rows; they rise, and are not the rows' numbers where these were sorted."""
        rows, faults = block.rows, RowFaults(block.rows.num_rows)
        times = self._times(rows)
        faults.add("malformed", self._columns.name("event_time"), times.wrong)
        shares = []
        for version, positions in self._versions(rows, faults).items():
            part = rows if len(positions) == rows.num_rows else rows.take(pa.array(positions))
            shares.append(self._share(self._columns.fit(version), part, positions, faults))
        ids = [id_ or "" for id_ in self._texts(rows, "id")] if self._columns.has("id") else None
        events = Events(offsets, times.values, ids, shares).without(np.flatnonzero(faults.bad))
        refused = [_refused(self._name, number, "malformed", words) for number, words in sorted(block.torn.items())]
        refused += faults.letters(self._name, block.numbers)

        def letter(offset: int, words: str) -> DeadLetter:
            return _refused(self._name, int(block.numbers[np.searchsorted(offsets, offset)]), "malformed", words)

        return Portion(events, refused, rows.num_rows + len(block.torn), letter)

    def _versions(self, rows: pa.RecordBatch, faults: RowFaults) -> dict[Version, Rows]:
        """The rows of each version that has a baseline."""
        model, version = self._columns.model, self._columns.version
        if model is not None and version is not None:
            return {(model, version): np.arange(rows.num_rows, dtype=np.intp)}
        models = self._texts(rows, "model") if model is None else [model] * rows.num_rows
        versions = self._texts(rows, "model_version") if version is None else [version] * rows.num_rows
        members: dict[tuple[str | None, str | None], list[int]] = {}
        for i, named in enumerate(zip(models, versions, strict=True)):
            members.setdefault(named, []).append(i)
        known: dict[Version, Rows] = {}
        for (model, version), positions in members.items():
            if model is None or version is None:
                faults.add("malformed", "model, model_version", dict.fromkeys(positions, "there is none"))
            elif (model, version) in self._baselines:
                known[model, version] = np.array(positions, dtype=np.intp)
            else:
                words = f"no baseline for model version {f'{model}/{version}'[:100]!r}: give one with --baseline"
                faults.add("unknown-version", "", dict.fromkeys(positions, words))
        return known

    def _share(self, baseline: Baseline, rows: pa.RecordBatch, positions: Rows, faults: RowFaults) -> Share:
        scores = arrow_values.numbers(self._columns.of(rows, "score"))
        missing = dict.fromkeys(np.flatnonzero(np.isnan(scores.values)).tolist(), "there is none")
        faults.add("malformed", self._columns.name("score"), {**missing, **scores.wrong}, positions)
        faults.add("non-finite", self._columns.name("score"), scores.infinite, positions)
        decisions: list[bool | None] = [None] * rows.num_rows
        if self._columns.has("decision"):
            said = arrow_values.truths(self._columns.of(rows, "decision"))
            faults.add("malformed", self._columns.name("decision"), said.wrong, positions)
            decisions = said.values
        schema = baseline.schema
        columns = {i: self._feature(schema.features[i], rows, positions, faults) for i in schema.monitored_positions}
        return Share(baseline, positions, columns, scores.values, decisions)

    def _feature(self, feature: Feature, rows: pa.RecordBatch, positions: Rows, faults: RowFaults) -> Any:
        column, name = self._columns.of(rows, feature.name), self._columns.name(feature.name)
        if feature.kind == "numeric":
            found = arrow_values.numbers(column)
            faults.add("malformed", name, found.wrong, positions)
            faults.add("non-finite", name, found.infinite, positions)
            return found.values
        typed = arrow_values.texts(column) if feature.kind == "categorical" else arrow_values.truths(column)
        faults.add("malformed", name, typed.wrong, positions)
        return typed.values

    def _times(self, rows: Any) -> arrow_values.Times:
        return arrow_values.times(self._columns.of(rows, "event_time"), assume_utc=self._layout.assume_utc)

    def _texts(self, rows: pa.RecordBatch, field: str) -> list[str | None]:
        return arrow_values.texts(self._columns.of(rows, field)).values


class RowFaults:
    """Which of a number of rows cannot be used, and the first reason of each. bad: shape (rows,)."""

    def __init__(self, rows: int) -> None:
        self.bad: npt.NDArray[np.bool_] = np.zeros(rows, dtype=np.bool_)
        self._found: dict[int, tuple[Reason, str]] = {}

    def add(self, reason: Reason, column: str, wrong: arrow_values.Wrong, rows: Rows | None = None) -> None:
        """What is wrong in a column, in words, by position; of all rows, or of these. A row keeps its first fault."""
        for position, words in wrong.items():
            row = position if rows is None else int(rows[position])
            self.bad[row] = True
            self._found.setdefault(row, (reason, f"{column}: {words}" if column else words))

    def letters(self, file: str, numbers: Rows) -> list[DeadLetter]:
        """The refused rows, in their order. numbers: of all rows, in the file."""
        return [
            _refused(file, int(numbers[row]), reason, detail) for row, (reason, detail) in sorted(self._found.items())
        ]


def _refused(file: str, number: int, reason: Reason, detail: str) -> DeadLetter:
    """A row of a file as a dead letter; people count its rows from 1."""
    words = f"row {number + 1}: {detail}"
    return DeadLetter(reason=reason, detail=words[:DETAIL], topic=file, partition=0, offset=number)
