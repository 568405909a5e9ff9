"""Reads a JSON Lines file of events, a block at a time: each line is an event as the topic `predictions` has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from contracts.baseline import Baseline
from contracts.dead_letters import DeadLetter
from contracts.times import UtcTime
from stream_app.errors import ReplayError
from stream_app.replay.counting import Portion, portions
from stream_app.replay.unclocked import NO_LIMITS
from stream_app.windowing.typed import Version

_BLOCK = 1 << 20
"""Bytes read, and counted, at a time."""
_AT_ONCE = 4096
"""Lines of a sorted file counted at a time."""


class FileLine(NamedTuple):
    """A line of a file as a record of the topic. offset: its place in the order of counting. number: its own."""

    topic: str
    offset: int
    value: bytes
    number: int
    partition: int = 0
    timestamp: int = 0
    key: bytes | None = None


class _Timed(msgspec.Struct):
    event_time: UtcTime


_timed = msgspec.json.Decoder(_Timed)


def read_lines(path: Path, *, sort: bool = False) -> Iterator[list[FileLine]]:
    """Lines in their order, or sorted by event time, which takes the file into memory. Blank ones are passed over.

    A line whose time cannot be read is sorted with the one before it. Raises ReplayError.
    """
    batches = _batches(path)
    if not sort:
        yield from batches
        return
    lines = [line for batch in batches for line in batch]
    times = []
    last = 0.0
    for line in lines:
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):  # it is refused when it is counted
            last = _timed.decode(line.value).event_time.timestamp()
        times.append(last)
    order = sorted(range(len(lines)), key=times.__getitem__)
    # Offsets must rise; a refused line is still named by its number.
    ordered = [lines[i]._replace(offset=position) for position, i in enumerate(order)]
    for at in range(0, len(ordered), _AT_ONCE):
        yield ordered[at : at + _AT_ONCE]


def line_portions(lines: Sequence[FileLine], baselines: Mapping[Version, Baseline]) -> list[Portion]:
    """Lines in a row, at least one, decoded. Those refused are named by their own numbers."""
    numbers = {line.offset: line.number for line in lines}

    def at_line(letter: DeadLetter) -> DeadLetter:
        """People count lines from 1."""
        number = numbers[letter.offset]
        return msgspec.structs.replace(letter, offset=number, detail=f"line {number + 1}: {letter.detail}")

    def named(portion: Portion) -> Portion:
        return portion._replace(
            refused=[at_line(letter) for letter in portion.refused],
            letter=lambda offset, words: at_line(portion.letter(offset, words)),
        )

    return [named(portion) for portion in portions(lines, baselines, NO_LIMITS)]


def _batches(path: Path) -> Iterator[list[FileLine]]:
    name, following = path.name, 0
    for values in _values(path):
        lines = [
            FileLine(name, number, value, number)
            for number, value in enumerate(values, following)
            if value and not value.isspace()
        ]
        following += len(values)
        if lines:
            yield lines


def _values(path: Path) -> Iterator[list[bytes]]:
    try:
        with path.open("rb") as file:
            rest = b""
            while block := file.read(_BLOCK):
                *whole, rest = (rest + block).split(b"\n")
                yield whole
            yield [rest]
    except OSError as error:
        raise ReplayError(f"--file {path}: cannot be read: {error.strerror or error}") from error
