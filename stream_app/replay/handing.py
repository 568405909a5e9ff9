"""Handing on: what a source partition has finished goes to the judges, in the order that a worker keeps. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from contracts.partials import Heartbeat, PartialAggregate
from stream_app.replay.judging import Judges, Verdict
from stream_app.windowing.closing import Closing
from stream_app.windowing.frontier import FOREVER


class Counted(Protocol):
    """Stage 1 of one source partition: `windowing.accumulator.Partition`, or rows counted by column."""

    @property
    def number(self) -> int: ...
    def due(self) -> list[PartialAggregate]: ...
    def acknowledged(self, partial: PartialAggregate) -> bytes: ...
    def idle(self, now_ms: int) -> bool: ...
    def heartbeat(self, generation: int, partitions: int, silent: bool) -> Heartbeat: ...


def hand_on(counted: Sequence[tuple[Counted, bool]], judges: Judges) -> list[Verdict]:
    """The windows that are over. counted: every partition, with whether it is silent."""
    finals = [partial for partition, _ in counted for partial in _taken(partition)]
    beats = [partition.heartbeat(0, len(counted), silent) for partition, silent in counted]
    # The idle ones last: each of their heartbeats carries them to where the others are at that moment.
    return judges.hear(finals, sorted(beats, key=lambda beat: beat.idle))


def rest(counted: Sequence[Counted], judges: Judges) -> list[Closing]:
    """What is in no report: windows that are not over in each partition, or not in all. Ends the replay."""
    for partition in counted:
        partition.idle(FOREVER)
    unfinished = [partial for partition in counted for partial in _taken(partition)]
    return judges.rest(unfinished, [partition.number for partition in counted])


def _taken(partition: Counted) -> list[PartialAggregate]:
    finals = partition.due()
    for partial in finals:
        partition.acknowledged(partial)
    return finals
