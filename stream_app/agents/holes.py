"""Holes: a batch that begins behind the expected offset. Either deliveries were lost, or the log has no such offsets.

Lost deliveries are read again. Offsets that the log does not have (deleted by retention, or the transaction markers of
a foreign producer) would be asked for again for ever, so they are told apart and passed over, counted and logged.
"""

from __future__ import annotations

import logging
from typing import Literal

from stream_app.agents.ports import Source
from stream_app.telemetry import Telemetry

log = logging.getLogger(__name__)
Why = Literal["deleted", "absent"]
_TRIES = 3
"""The same hole after so many reads is the log's own."""


class Holes:
    """One topic's holes."""

    def __init__(self, topic: str, source: Source, telemetry: Telemetry) -> None:
        self._topic, self._source, self._telemetry = topic, source, telemetry
        self._tries: dict[int, tuple[int, int, int]] = {}

    async def passable(self, partition: int, expected: int, first: int) -> Why | None:
        """Why a batch that begins at `first` may be used though `expected` is missing; None: it is read again."""
        self._telemetry.gaps.inc()
        start = await self._source.start(partition)
        if start >= first:
            self._pass(partition, expected, first, "deleted", "deleted by the topic's retention before it was read")
            return "deleted"
        # The first batch of the new reading begins at `first` again only if nothing lies between. Each call is of a new
        # reading: what was on its way is not handled any more after a re-read.
        last_expected, last_first, tries = self._tries.get(partition, (-1, -1, 0))
        tries = tries + 1 if (last_expected, last_first) == (expected, first) else 1
        if tries > _TRIES:
            self._tries.pop(partition, None)
            self._pass(partition, expected, first, "absent", "not in the log: markers of a foreign transaction?")
            return "absent"
        log.warning("%s/%s: expected offset %s, got %s; reading again", self._topic, partition, expected, first)
        self._telemetry.rereads.inc()
        await self._source.reread_from(partition, max(expected, start))
        self._tries[partition] = expected, first, tries  # not where it raised: nothing was read again then
        return None

    def _pass(self, partition: int, expected: int, first: int, why: Why, words: str) -> None:
        self._telemetry.holes.labels(why).inc(first - expected)
        log.error("%s/%s: offsets %s to %s are %s", self._topic, partition, expected, first - 1, words)
