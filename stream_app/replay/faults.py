"""Rows that cannot be used: which, and the first reason of each. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from contracts.dead_letters import DETAIL, DeadLetter, Reason


class Faults:
    """Of a number of rows. bad: shape (rows,)."""

    def __init__(self, rows: int) -> None:
        self.bad: npt.NDArray[np.bool_] = np.zeros(rows, dtype=np.bool_)
        self._found: dict[int, tuple[Reason, str]] = {}

    def add(
        self, reason: Reason, column: str, wrong: Mapping[int, str], rows: npt.NDArray[np.intp] | None = None
    ) -> None:
        """What is wrong in a column, in words, by position; of all rows, or of these. A row keeps its first fault."""
        for position, words in wrong.items():
            row = position if rows is None else int(rows[position])
            self.bad[row] = True
            self._found.setdefault(row, (reason, f"{column}: {words}" if column else words))

    def letters(self, file: str, numbers: Sequence[int] | npt.NDArray[np.intp]) -> list[DeadLetter]:
        """The refused rows, in their order. numbers: of all rows, in the file."""
        return [
            refused(file, int(numbers[row]), reason, detail) for row, (reason, detail) in sorted(self._found.items())
        ]


def refused(file: str, number: int, reason: Reason, detail: str) -> DeadLetter:
    """A row of a file as a dead letter; people count its rows from 1."""
    words = f"row {number + 1}: {detail}"
    return DeadLetter(reason=reason, detail=words[:DETAIL], topic=file, partition=0, offset=number)
