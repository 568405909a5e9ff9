"""Reads a CSV or Parquet file by blocks of rows. CSV is read as text: what a column holds is decided by the baseline's
schema, not by a guess from the first block.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from stream_app.errors import ReplayError
from stream_app.replay.table.columns import Rows

_BLOCK = 4 << 20
"""Bytes of a CSV file read at a time."""
_AT_ONCE = 16384
"""Rows of a Parquet file read at a time."""
_HEADER_LINES = 1


class Block(NamedTuple):
    """Rows of a file. numbers: their numbers in it, from 0. torn: rows with more or fewer fields than the header, by
    number; they are in no block, and each is named once.
    """

    rows: pa.RecordBatch
    numbers: Rows
    torn: dict[int, str]


class TableFile:
    """An opened file. names: of its columns. Raises ReplayError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_csv = path.name.endswith((".csv", ".csv.gz"))
        self._torn: dict[int, str] = {}
        try:
            self.schema: pa.Schema = self._csv().schema if self._is_csv else pa.parquet.read_schema(path)
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable(error) from error
        self.names: tuple[str, ...] = tuple(self.schema.names)
        twice = next((name for name in self.names if self.names.count(name) > 1), None)
        if twice is not None:
            raise ReplayError(f"--file {path}: two columns are called {twice!r}; give each a name of its own")
        if self._is_csv:
            self.schema = pa.schema([(name, pa.string()) for name in self.names])

    def blocks(self, columns: list[str]) -> Iterator[Block]:
        """The rows in their order, with these columns. Raises ReplayError."""
        following = 0
        seen = set[int]()
        try:
            for rows in self._batches(columns):
                torn = {number: words for number, words in self._torn.items() if number not in seen}
                seen |= torn.keys()
                numbers = following + np.arange(rows.num_rows + len(seen), dtype=np.intp)
                numbers = numbers[~np.isin(numbers, list(seen))][: rows.num_rows] if seen else numbers
                following = int(numbers[-1]) + 1 if rows.num_rows else following
                yield Block(rows, numbers, torn)
            if left := {number: words for number, words in self._torn.items() if number not in seen}:
                yield Block(pa.RecordBatch.from_pylist([], self.schema), np.arange(0, dtype=np.intp), left)
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable(error) from error

    def _batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        if self._is_csv:
            yield from self._csv(columns)
        else:
            with pa.parquet.ParquetFile(self._path) as file:
                yield from file.iter_batches(_AT_ONCE, columns=columns)

    def _csv(self, columns: list[str] | None = None) -> Any:
        """columns: None only for the header."""
        convert = pa.csv.ConvertOptions(
            column_types=dict.fromkeys(columns or [], pa.string()),
            include_columns=columns,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        )
        return pa.csv.open_csv(
            str(self._path),
            pa.csv.ReadOptions(use_threads=False, block_size=_BLOCK),
            pa.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=self._take_torn),
            convert,
        )

    def _take_torn(self, row: Any) -> str:
        number = row.number - _HEADER_LINES - 1
        self._torn[number] = f"{row.actual_columns} fields, the header names {row.expected_columns}"
        return "skip"

    def _unreadable(self, error: Exception) -> ReplayError:
        kind = "CSV" if self._is_csv else "Parquet"
        reason = " ".join(str(error).split())[:300]
        return ReplayError(f"--file {self._path}: cannot be read as {kind}: {reason}")


def sorted_block(blocks: Iterator[Block], order_of: Any) -> Block | None:
    """All blocks as one, in the order of their times. order_of: from rows to positions in that order."""
    every = list(blocks)
    if not every:
        return None
    table = pa.Table.from_batches([block.rows for block in every]).combine_chunks()
    numbers = np.concatenate([block.numbers for block in every])
    torn = {number: words for block in every for number, words in block.torn.items()}
    order = order_of(table)
    (rows,) = table.take(order).combine_chunks().to_batches() or [every[0].rows]
    return Block(rows, numbers[order], torn)
