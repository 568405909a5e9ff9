"""Reads a CSV or Parquet file by blocks of rows. CSV is read as text: what a column holds is decided by the baseline's
schema, not by a guess from the first block.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from stream_app.errors import ReplayError
from stream_app.windowing.accepted import Rows

_BLOCK = 4 << 20
"""Bytes of a CSV file read at a time."""
_AT_ONCE = 16384
"""Rows of a Parquet file read at a time."""
_HEADER_LINES = 1
_LET_GO_SECONDS = 10.0
"""How long to wait for the threads of a CSV reader that is done; they need milliseconds."""


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
            self.schema: pa.Schema = self._header() if self._is_csv else pa.parquet.read_schema(path)
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable(error) from error
        self.names: tuple[str, ...] = tuple(self.schema.names)
        twice = next((name for name in self.names if self.names.count(name) > 1), None)
        if twice is not None:
            raise ReplayError(f"--file {path}: two columns are called {twice!r}; give each a name of its own")
        if self._is_csv:
            self.schema = pa.schema([(name, pa.string()) for name in self.names])

    def blocks(self, columns: list[str]) -> Generator[Block, None, None]:
        """The rows in their order, with these columns. To be closed by who does not read to the end: see `_csv`.
        Raises ReplayError.
        """
        following = 0
        seen = set[int]()
        try:
            with closing(self._batches(columns)) as batches:
                for rows in batches:
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

    def _batches(self, columns: list[str]) -> Generator[pa.RecordBatch, None, None]:
        if self._is_csv:
            with closing(self._csv(columns)) as parts:
                next(parts)
                yield from parts
        else:
            with pa.parquet.ParquetFile(self._path) as file:
                yield from file.iter_batches(_AT_ONCE, columns=columns)

    def _header(self) -> pa.Schema:
        with closing(self._csv(None)) as parts:
            return next(parts)

    def _csv(self, columns: list[str] | None) -> Generator[Any, None, None]:
        """The schema, then the batches. columns: None only for the header.

        pyarrow reads ahead on threads of its own, which hold `take_torn` and need the interpreter to let go of it. One
        that does so while the interpreter ends aborts the process: so this ends when they have let go, and not before.
        """

        def take_torn(row: Any) -> str:
            number = row.number - _HEADER_LINES - 1
            self._torn[number] = f"{row.actual_columns} fields, the header names {row.expected_columns}"
            return "skip"

        released = threading.Event()
        held = weakref.ref(take_torn, lambda _: released.set())
        parse = pa.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=take_torn)
        convert = pa.csv.ConvertOptions(
            column_types=dict.fromkeys(columns or [], pa.string()),
            include_columns=columns,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        )
        reader = None
        try:
            read = pa.csv.ReadOptions(use_threads=False, block_size=_BLOCK)
            reader = pa.csv.open_csv(str(self._path), read, parse, convert)
            yield reader.schema
            yield from reader
        finally:
            if reader is not None:
                reader.close()
            del reader, parse, take_torn
            if held() is not None:
                released.wait(_LET_GO_SECONDS)

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
