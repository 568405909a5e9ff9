"""Twice a second: a heartbeat for each partition, and the passing of time for those that have fallen silent.

A partition is silent when it had no event for a while, nothing waits on the log, and in the meantime this process was
not stopped and the broker answered: while Kafka is away nobody can send, and whoever is cut off from it hears nothing.
Then time passes by the wall clock, so that its last windows end too. That is written and acknowledged before stage 2
hears of it: a replay of the events alone would not find it.
"""

from __future__ import annotations

import asyncio
import logging

from stream_app.agents.owned import Owned
from stream_app.agents.patience import Lost
from stream_app.telemetry import Telemetry

log = logging.getLogger(__name__)
_STOPPED_SECONDS = 3.0
"""A timer that is late by so much says that the process was stopped: its idea of silence is worth nothing."""


class Silence:
    """The timer of stage 1. idle_seconds: without an event for so long, a partition may be silent."""

    def __init__(self, topic: str, idle_seconds: float, owned: Owned, telemetry: Telemetry) -> None:
        self._topic, self._idle_seconds, self._owned, self._telemetry = topic, idle_seconds, owned, telemetry
        self._ticked = owned.clock.seconds()
        self._reread: dict[int, tuple[int, int, int]] = {}

    async def tick(self) -> None:
        """Speak for every partition that can be spoken for. Never raises."""
        owned, now = self._owned, self._owned.clock.seconds()
        stopped, self._ticked = now - self._ticked > _STOPPED_SECONDS, now
        if stopped:
            owned.heard = dict.fromkeys(owned.heard, now)
        if not owned.source.settled:
            return
        for number in sorted(owned.source.partitions & owned.heard.keys()):
            lock = owned.locks[number]
            if lock.locked():
                continue  # a batch of it is being counted, or cannot be: either way there is nothing to say now
            try:
                async with lock:
                    await self._speak_for(number, owned.source.epoch, now)
            except Lost:
                return
            except Exception:
                log.exception("%s/%s: no heartbeat, next try in half a second", self._topic, number)

    async def _speak_for(self, number: int, epoch: int, now: float) -> None:
        owned = self._owned
        age = self._age_of_the_answer(number)
        if age is None:
            owned.heard[number] = now
        # Silence has lasted until the broker last said so, not until now: a short stop of this process is noticed by
        # nothing else, and what came meanwhile waits.
        lasted = now - (age or 0.0) - owned.heard[number]
        silent = lasted > self._idle_seconds and await self._nothing_waits(number, epoch, now)
        owned.check(epoch)
        partition = owned.partition(number)
        if silent and partition.idle(owned.clock.wall_ms()):
            try:
                await asyncio.gather(*[owned.store.put(number, key, value) for key, value in partition.stored()])
            except Exception:
                owned.reload(number)  # memory is ahead of the changelog: for nobody has time passed
                raise
            owned.check(epoch)
        self._show(number, silent)
        await owned.hand_on(number, epoch, silent=silent)

    def _age_of_the_answer(self, number: int) -> float | None:
        """Seconds since the broker said where the log ends; None when it does not answer (or a clock was set)."""
        at = self._owned.source.answered(number)
        age = -1.0 if at is None else (self._owned.clock.wall_ms() - at) / 1000
        return age if 0 <= age <= self._owned.source.answer_seconds else None

    async def _nothing_waits(self, number: int, epoch: int, now: float) -> bool:
        source, following = self._owned.source, self._owned.partition(number).next_offset
        end = source.end(number)
        if following is None and end:  # nothing was ever read: perhaps retention has emptied the log
            following = await source.start(number)
        hole = following or 0, end or 0, epoch
        if end is None or end <= hole[0]:
            return end is not None
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
