"""Encoder: rows of features to the matrix that a compiled model reads, in numpy, equal to scikit-learn's bit for bit.

The same operations in the same order as the fitted pipeline's: fill, scale, one-hot, codes. Each output column is that
of one block; blocks follow one another. Training reads them from a fitted pipeline, the api runs them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from contracts.errors import InvalidCompiled

Value = float | bool | str | None
Row = tuple[Value, ...]
Matrix = npt.NDArray[np.float64]

MAX_WIDTH = 100_000


class Fill(msgspec.Struct, frozen=True, tag="fill"):
    """A missing number becomes its column's value. gaps: columns that get a 0/1 column of their own after all the
    others: whether the value was missing.
    """

    values: tuple[float, ...]
    gaps: tuple[int, ...] = ()


class Scale(msgspec.Struct, frozen=True, tag="scale"):
    """(x - mean) / scale."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]


class Numbers(msgspec.Struct, frozen=True, tag="numbers"):
    """Numeric and boolean features as numbers, missing as NaN, through the steps in order. features: positions."""

    features: tuple[int, ...]
    steps: tuple[Fill | Scale, ...] = ()


class OneHot(msgspec.Struct, frozen=True, tag="onehot"):
    """A column for each level: 1 where the row has it. None stands for missing. Any other level: all 0."""

    feature: int
    levels: tuple[str | None, ...]


class Codes(msgspec.Struct, frozen=True, tag="codes"):
    """One column: the level's code. None stands for missing. unknown: the code of any other level."""

    feature: int
    levels: tuple[str | None, ...]
    codes: tuple[float, ...]
    unknown: float


Block = Numbers | OneHot | Codes


class _Source(NamedTuple):
    """A feature that becomes a number. codes: by its level, None where it is one already."""

    feature: int
    codes: dict[str | None, float] | None
    unknown: float


class _Stretch(NamedTuple):
    """Numbers `of` go through the steps to the encoding's columns `to`."""

    of: slice
    to: slice
    steps: tuple[Callable[[Matrix], Matrix], ...]


class Encoder:
    """blocks: as they are laid out. features: how many a row has. Raises InvalidCompiled for blocks that do not fit."""

    def __init__(self, blocks: Sequence[Block], features: int) -> None:
        self._features = features
        self._sources: list[_Source] = []
        self._stretches: list[_Stretch] = []
        self._onehots: list[tuple[int, dict[str | None, int]]] = []
        self.width = 0
        for block in blocks:
            if isinstance(block, Numbers):
                self._add_numbers([_Source(i, None, 0.0) for i in block.features], block.steps)
            elif isinstance(block, OneHot):
                self._add_onehot(block)
            else:
                self._add_numbers([_Source(block.feature, _codes(block), block.unknown)], ())
        if not 0 < self.width <= MAX_WIDTH:
            raise InvalidCompiled(f"the encoding has {self.width} columns: from 1 to {MAX_WIDTH} are possible")
        self._plain = not self._onehots and not any(stretch.steps for stretch in self._stretches)

    def encode(self, rows: Sequence[Row]) -> Matrix:
        """rows: values in schema order, None where missing; at least one. float64, C order, shape (rows, width)."""
        columns: list[tuple[Any, ...]] = list(zip(*rows, strict=True))
        pack = struct.Struct(f"{len(rows)}d").pack
        packed = [
            _packed(pack, columns[i] if codes is None else [codes.get(level, unknown) for level in columns[i]])
            for i, codes, unknown in self._sources
        ]
        numbers = np.frombuffer(b"".join(packed)).reshape(len(packed), len(rows)).T
        if self._plain:
            return np.ascontiguousarray(numbers)
        encoded = np.zeros((len(rows), self.width))
        for stretch in self._stretches:
            part = numbers[:, stretch.of]
            for step in stretch.steps:
                part = step(part)
            encoded[:, stretch.to] = part
        for i, places in self._onehots:
            for row, level in enumerate(columns[i]):
                place = places.get(level)
                if place is not None:
                    encoded[row, place] = 1.0
        return encoded

    def _add_numbers(self, sources: list[_Source], steps: tuple[Fill | Scale, ...]) -> None:
        for source in sources:
            self._check_feature(source.feature)
        of = slice(len(self._sources), len(self._sources) + len(sources))
        to = slice(self.width, self.width + _width(steps, len(sources)))
        before = self._stretches[-1] if self._stretches else None
        if before is not None and not (steps or before.steps) and before.to.stop == to.start:
            self._stretches[-1] = _Stretch(slice(before.of.start, of.stop), slice(before.to.start, to.stop), ())
        else:
            self._stretches.append(_Stretch(of, to, tuple(_step(step) for step in steps)))
        self._sources += sources
        self.width = to.stop

    def _add_onehot(self, block: OneHot) -> None:
        self._check_feature(block.feature)
        self._onehots.append((block.feature, {level: self.width + i for i, level in enumerate(block.levels)}))
        self.width += len(block.levels)

    def _check_feature(self, position: int) -> None:
        if not 0 <= position < self._features:
            raise InvalidCompiled(f"the encoding reads feature {position} of {self._features}")


def _packed(pack: Callable[..., bytes], numbers: Sequence[Any]) -> bytes:
    """A column of doubles, a fifth of np.array's work where nothing is missing. None becomes NaN."""
    try:
        return pack(*numbers)
    except struct.error:
        return np.array(numbers, dtype=np.float64).tobytes()


def _codes(block: Codes) -> dict[str | None, float]:
    if len(block.levels) != len(block.codes):
        raise InvalidCompiled(f"{len(block.codes)} codes for {len(block.levels)} levels")
    return dict(zip(block.levels, block.codes, strict=True))


def _width(steps: tuple[Fill | Scale, ...], columns: int) -> int:
    """How many columns come of so many. Raises InvalidCompiled for a step that does not fit."""
    for step in steps:
        wanted = {len(step.values)} if isinstance(step, Fill) else {len(step.mean), len(step.scale)}
        if wanted != {columns}:
            raise InvalidCompiled(f"a step for {sorted(wanted)} columns where there are {columns}")
        if isinstance(step, Fill):
            if any(not 0 <= gap < columns for gap in step.gaps):
                raise InvalidCompiled(f"a gap is marked in a column that is not among the {columns}")
            columns += len(step.gaps)
    return columns


def _step(step: Fill | Scale) -> Callable[[Matrix], Matrix]:
    if isinstance(step, Scale):
        mean, scale = np.array(step.mean), np.array(step.scale)
        return lambda numbers: (numbers - mean) / scale
    values, marked = np.array(step.values), list(step.gaps)

    def fill(numbers: Matrix) -> Matrix:
        gaps = np.isnan(numbers)
        filled = np.where(gaps, values, numbers)
        return np.column_stack([filled, gaps[:, marked]]) if marked else filled

    return fill
