"""Twice a second: a heartbeat for each partition, and the passing of time for those that have fallen silent.

A partition is silent when it had no event for a while, nothing waits on the log, and in the meantime this process was
not stopped and the broker answered: while Kafka is away nobody can send, and whoever is cut off from it hears nothing.
Then time passes by the wall clock, so that its last windows end too. That is written and acknowledged before stage 2
hears of it: a replay of the events alone would not find it.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Any

from stream_app.agents.owned import Owning
from stream_app.agents.patience import Lost
from stream_app.telemetry import Telemetry

log = logging.getLogger(__name__)
_STOPPED_SECONDS = 3.0
"""A timer that is late by so much says that the process was stopped: its idea of silence is worth nothing."""
_ELECTED_SECONDS = 45.0
"""A new leader's log may seem to end too early until a slow replica has left the in-sync set, after
`replica.lag.time.max.ms` (30 s as Kafka comes). So long its word proves no silence."""
_SHORTER_SECONDS = 10.0
"""A log may end before what was read of it while a broker starts; not for so long."""


class Silence:
    """The timer of stage 1. idle_seconds: without an event for so long, a partition may be silent. cannot_go_on: ends
    the worker; with what to do."""

    def __init__(
        self,
        topic: str,
        idle_seconds: float,
        owned: Owning[Any],
        telemetry: Telemetry,
        cannot_go_on: Callable[[str], None] = lambda words: None,
    ) -> None:
        self._topic, self._idle_seconds, self._owned, self._telemetry = topic, idle_seconds, owned, telemetry
        self._cannot_go_on = cannot_go_on
        self._shorter: dict[int, float] = {}  # since when a log ends before what was read of it
        self._leaders: dict[int, tuple[int, float]] = {}  # and since when; minus infinity: since it is known
        self._ticked = owned.clock.seconds()
        self._reread: dict[int, tuple[int, int, int]] = {}
        # When the last answer about each partition was taken in, and the one before it: milliseconds UTC.
        self._answers: dict[int, tuple[int | None, int | None]] = {}

    async def tick(self) -> None:
        """Speak for every partition that can be spoken for. Never raises."""
        owned, now, epoch = self._owned, self._owned.clock.seconds(), self._owned.source.epoch
        stopped, self._ticked = now - self._ticked > _STOPPED_SECONDS, now
        if stopped:
            owned.heard = dict.fromkeys(owned.heard, now)
        if not owned.source.settled:
            return
        numbers = sorted(owned.source.partitions & owned.heard.keys())
        self._note_answers(numbers)
        # All at once: what each waits for is mostly an acknowledgement, and of many in a row the last proofs grow old.
        await asyncio.gather(*[self._tick(number, epoch, now) for number in numbers])

    async def _tick(self, number: int, epoch: int, now: float) -> None:
        if not self._owned.source.settled:
            return  # lost while another one was spoken for
        lock = self._owned.locks[number]
        try:
            if lock.locked() or self._owned.is_handing_on(number):
                # A batch of it is being counted, or cannot be; or its ended windows are sent, which must not find
                # any that only silence has ended before that is durable. Either way there is nothing to say now.
                self._show(number, silent=False)
                return
            async with lock:
                await self._speak_for(number, epoch, now)
        except Lost:
            return
        except Exception:
            log.exception("%s/%s: no heartbeat, next try in half a second", self._topic, number)

    async def _speak_for(self, number: int, epoch: int, now: float) -> None:
        owned = self._owned
        owned.check(epoch)
        proven = self._proven(number)
        self._check_length(number, now, known=proven is not None and not self._elected(number, now))
        if proven is None:
            owned.heard[number], proven = now, owned.clock.wall_ms()
        # Silence has lasted for as long as it is proven, not until now, and time passes up to there: a short stop of
        # this process is noticed by nothing else, and what came meanwhile waits.
        lasted = now - (owned.clock.wall_ms() - proven) / 1000 - owned.heard[number]
        silent = lasted > self._idle_seconds and await self._nothing_waits(number, epoch, now)
        silent = silent and not self._elected(number, now)  # asked last: before a new leader answers, it is known
        owned.check(epoch)
        partition = owned.partition(number)
        if silent and partition.idle(proven):
            try:
                await asyncio.gather(*[owned.store.put(number, key, value) for key, value in partition.stored()])
            except Exception:
                owned.reload(number)  # memory is ahead of the changelog: for nobody has time passed
                raise
            owned.check(epoch)
        self._show(number, silent)
        await owned.hand_on(number, epoch, silent_at=proven if silent else None)

    def _check_length(self, number: int, now: float, *, known: bool) -> None:
        """What comes behind such an end has offsets that were counted: it would be skipped in silence as read again."""
        end, following = self._owned.source.end(number), self._owned.partition(number).next_offset or 0
        if not known or end is None or end >= following:
            self._shorter.pop(number, None)
        elif now - self._shorter.setdefault(number, now) >= _SHORTER_SECONDS:
            self._cannot_go_on(
                f"{self._topic}/{number} ends at offset {end} and was read to {following}: the topic was made anew, or "
                "its log was cut. Start the worker again first; if it ends so again, choose another STREAM_APP_ID, "
                "which counts everything that the topic holds, and create its topics with `python -m stream_app topics`"
            )

    def _elected(self, number: int, now: float) -> bool:
        """Whether another broker became the partition's leader not long ago."""
        leader = self._owned.source.leader(number)
        former, since = self._leaders.get(number, (leader, -math.inf))
        if leader is None:
            return True
        if leader != former:
            since = now
        self._leaders[number] = leader, since
        return now - since < _ELECTED_SECONDS

    def _note_answers(self, numbers: list[int]) -> None:
        """An answer's time is when this process came to it; it may have lain here since long before, while the process
        was stopped. But it was asked for after the answer before it had come: until then the log's end is proven."""
        known = self._answers
        self._answers = {}
        for number in numbers:
            at = self._owned.source.answered(number)
            last, proven = known.get(number, (None, None))
            self._answers[number] = (at, proven if at == last else last)

    def _proven(self, number: int) -> int | None:
        """When the log certainly ended where the last answer says; None when the broker does not answer, or did not
        until just now (or a clock was set)."""
        at, proven = self._answers[number]
        if at is None or proven is None:
            return None
        waits = (self._owned.clock.wall_ms() - at) / 1000, (at - proven) / 1000
        return proven if all(0 <= wait <= self._owned.source.answer_seconds for wait in waits) else None

    async def _nothing_waits(self, number: int, epoch: int, now: float) -> bool:
        source, following = self._owned.source, self._owned.partition(number).next_offset
        end = source.end(number)
        if following is None and end:  # nothing was ever read: perhaps retention has emptied the log
            following = await source.start(number)
        hole = following or 0, end or 0, epoch
        if end is None or end < hole[0]:
            return False  # a broker that does not know yet how far its log goes
        if end == hole[0]:
            return True
        if not source.drained(number):
            return False
        # Fetched to the end, and yet records should be there: lost on their way, or the log ends with the markers of a
        # foreign transaction, which are offsets without a record. Reading again tells which.
        if self._reread.get(number) != hole:
            self._reread[number], self._owned.heard[number] = hole, now
            await source.reread_from(number, hole[0])
            return False
        return True

    def _show(self, number: int, silent: bool) -> None:
        partition, label = self._owned.partition(number), str(number)
        self._telemetry.open_windows.labels(label).set(partition.open_windows)
        if partition.watermark is not None:
            delay = self._owned.clock.wall_ms() - partition.watermark
            self._telemetry.watermark_delay.labels(label).set(delay / 1000)
        committed = self._owned.source.committed(number)
        if committed is not None:
            self._telemetry.uncommitted.labels(label).set(max(0, (partition.next_offset or 0) - committed))
        end = self._owned.source.end(number)
        if end is not None:
            # Where nothing waits the offsets left over hold no record: a foreign transaction's markers.
            self._telemetry.lag.labels(label).set(0 if silent else max(0, end - (partition.next_offset or 0)))
