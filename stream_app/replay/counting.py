"""Counting as a worker counts: a source partition of a replay. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from contracts.baseline import Baseline
from contracts.dead_letters import DETAIL, DeadLetter
from contracts.partials import PartialAggregate
from stream_app.replay.judging import Judges
from stream_app.replay.outcome import Totals
from stream_app.windowing.accepted import Events
from stream_app.windowing.accumulator import Partition
from stream_app.windowing.closing import Closing
from stream_app.windowing.decoding import Decoded, Limits, SourceRecord, decode_batch
from stream_app.windowing.forever import FOREVER
from stream_app.windowing.tumbling import WindowConfig
from stream_app.windowing.typed import Version


class Portion(NamedTuple):
    """Records in a row, decoded. read: how many they are. letter: refuses the one of this offset, in these words."""

    accepted: Events
    refused: list[DeadLetter]
    read: int
    letter: Callable[[int, str], DeadLetter]


def portions(records: Sequence[SourceRecord], baselines: Mapping[Version, Baseline], limits: Limits) -> list[Portion]:
    """Decode records of one partition, at least one. Several portions where a record among them makes that raise."""
    topic, partition = records[0].topic, records[0].partition

    def letter(offset: int, words: str) -> DeadLetter:
        return DeadLetter(reason="malformed", detail=words[:DETAIL], topic=topic, partition=partition, offset=offset)

    try:
        decoded = decode_batch(records, baselines, limits, final=True)
    except Exception as error:
        if len(records) == 1:
            return [Portion(Events.none(), [letter(records[0].offset, _uncountable(error))], 1, letter)]
        middle = len(records) // 2
        return [*portions(records[:middle], baselines, limits), *portions(records[middle:], baselines, limits)]
    return [Portion(decoded.accepted, decoded.refused, len(records), letter)]


class CountedPartition:
    """One source partition. baselines: by digest.

    What a worker would have stored of it is kept: an event on which counting raises may leave half a batch counted, and
    then it goes on from there, without that event.
    """

    def __init__(self, number: int, config: WindowConfig, baselines: Mapping[str, Baseline]) -> None:
        self._config, self._baselines = config, baselines
        self.partition = Partition(number, config)
        self._stored: dict[bytes, bytes] = {}

    def count(self, portion: Portion, totals: Totals) -> list[DeadLetter]:
        """Records behind those counted before. Returns those that could not be counted."""
        refused = portion.refused + [portion.letter(*found) for found in self._count(portion.accepted, totals)]
        totals.read += portion.read
        totals.refused.update(letter.reason for letter in refused)
        return refused

    def idle(self, now_ms: int) -> None:
        """Let time pass."""
        if self.partition.idle(now_ms):
            self._stored.update(self.partition.stored())

    def finals(self) -> list[PartialAggregate]:
        """The final counts of windows that are over, each once."""
        finals = self.partition.due()
        for partial in finals:
            del self._stored[self.partition.acknowledged(partial)]
        return finals

    def _count(self, accepted: Events, totals: Totals) -> list[tuple[int, str]]:
        """Offsets of the events that cannot be counted, and why."""
        if not len(accepted):
            return []
        try:
            # The offsets between events are no holes: what is read is in the totals.
            touched = self.partition.apply(
                Decoded(accepted, [], set(), []), int(accepted.offsets[0]), int(accepted.offsets[-1])
            )
            stored = self.partition.stored(touched.keys)
        except Exception as error:
            number, kept = self.partition.number, self._stored.items()
            self.partition = Partition.restore(number, self._config, kept, self._baselines)
            if len(accepted) == 1:
                return [(int(accepted.offsets[0]), _uncountable(error))]
            halves = np.array_split(np.arange(len(accepted)), 2)
            return [found for half in halves for found in self._count(accepted.take(half), totals)]
        self._stored.update(stored)
        totals.counted += touched.counted
        totals.late += touched.late
        totals.repeats += touched.repeats
        return []


def rest(counted: Sequence[CountedPartition], judges: Judges) -> list[Closing]:
    """What is in no report: windows that are not over in each partition, or not in all. Ends the replay."""
    for counter in counted:
        counter.idle(FOREVER)
    unfinished = [partial for counter in counted for partial in counter.finals()]
    return judges.rest(unfinished, [counter.partition.number for counter in counted])


def _uncountable(error: Exception) -> str:
    return f"cannot be counted: {error!r}"
