"""Events of a file, replayed in their order as one source partition. Pure.

No clock stamped them, so none is held against them: nothing is ancient or in the future, and time passes by the events'
own times alone. The end of the file ends every window, as a pause of the traffic would.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from contracts.baseline import Baseline
from contracts.dead_letters import DeadLetter
from stream_app.replay.columns import ColumnCounter
from stream_app.replay.handing import hand_on, rest
from stream_app.replay.judging import Judges, Verdict
from stream_app.replay.plan import Plan
from stream_app.replay.stretch import Stretch
from stream_app.replay.tally import Tally
from stream_app.windowing.accumulator import Partition
from stream_app.windowing.closing import Closing
from stream_app.windowing.decoding import Limits, decode_batch
from stream_app.windowing.frontier import FOREVER
from stream_app.windowing.typed import Version


class FileLine(NamedTuple):
    """A line of a file as a record of the topic. offset: its place in the order of counting. number: its own."""

    topic: str
    offset: int
    value: bytes
    number: int
    partition: int = 0
    timestamp: int = 0
    key: bytes | None = None


_NO_LIMITS = Limits(max_future_ms=1 << 60, max_age_ms=1 << 60)


class LineReplay:
    """The replay of JSON Lines: each line is a record as the topic would have it."""

    def __init__(self, plan: Plan, baselines: Mapping[Version, Baseline], judges: Judges) -> None:
        self._baselines, self._judges = baselines, judges
        self._partition = Partition(0, plan.windows)
        self._following = 0
        self.tally = Tally()
        self.refused: list[DeadLetter] = []

    def count(self, lines: Sequence[FileLine]) -> list[Verdict]:
        """Lines behind those counted before, at least one."""
        decoded = decode_batch(lines, self._baselines, _NO_LIMITS, final=True)
        touched = self._partition.apply(decoded, self._following, lines[-1].offset)
        self._following = lines[-1].offset + 1
        self.tally.add(len(lines), touched, decoded.refused)
        if decoded.refused:
            numbers = {line.offset: line.number for line in lines}
            self.refused += [_at_line(letter, numbers[letter.offset]) for letter in decoded.refused]
        return hand_on([(self._partition, False)], self._judges)

    def end(self) -> list[Verdict]:
        """The file has ended, and with it every window."""
        self._partition.idle(FOREVER)
        return hand_on([(self._partition, True)], self._judges)

    def rest(self) -> list[Closing]:
        """What is in no report. Ends the replay."""
        return rest([self._partition], self._judges)


def _at_line(letter: DeadLetter, number: int) -> DeadLetter:
    """A refused line by its own number; people count lines from 1."""
    return replace(letter, offset=number, detail=f"line {number + 1}: {letter.detail}")


class TableReplay:
    """The replay of a table, by stretches of rows."""

    def __init__(self, plan: Plan, judges: Judges) -> None:
        self._judges = judges
        self._counter = ColumnCounter(plan.windows)
        self.tally = Tally()
        self.refused: list[DeadLetter] = []

    def count(self, stretch: Stretch) -> list[Verdict]:
        """Rows behind those counted before."""
        self.tally.add(stretch.read, self._counter.apply(stretch), stretch.refused)
        self.refused += stretch.refused
        return hand_on([(self._counter, False)], self._judges)

    def end(self) -> list[Verdict]:
        """The file has ended, and with it every window."""
        self._counter.idle(FOREVER)
        return hand_on([(self._counter, True)], self._judges)

    def rest(self) -> list[Closing]:
        """What is in no report. Ends the replay."""
        return rest([self._counter], self._judges)
