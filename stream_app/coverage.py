"""Coverage: how many predictions each window has, as the drift reports of this installation say. A shadow's events are
none: nobody was answered with them, and no label comes for them.

`drift-reports` is followed without a group, from before the oldest window that may still be open.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from aiokafka import ConsumerRecord

from contracts.times import UtcTime, milliseconds
from stream_app.following import Follower

log = logging.getLogger(__name__)


class _Rows(msgspec.Struct):
    """What is needed of a drift report; the rest is not even decoded."""

    model: str
    version: str
    window_start: UtcTime
    rows: int
    shadow_rows: int = 0


_decoder = msgspec.json.Decoder(_Rows)


class Coverage:
    """source: `ce_source` of the reports that count. since_ms: begin there; keep_ms: forget windows that start so long
    before the newest. learnt: reports so far.
    """

    def __init__(self, bootstrap: str, topic: str, source: str, since_ms: int, keep_ms: int) -> None:
        self._follower = Follower(bootstrap, topic, self.learn, since_ms)
        self._source, self._keep_ms = source.encode(), keep_ms
        self._rows: dict[tuple[str, str, int], int] = {}
        self._newest, self._prune_at = 0, 100_000
        self.learnt = 0

    async def start(self) -> None:
        """Read the topic to its end, then follow it. Raises BrokerError."""
        await self._follower.start()

    async def stop(self) -> None:
        """Stop following; what was read stays."""
        await self._follower.stop()

    def predictions(self, model: str, version: str, window_start: int) -> int | None:
        """Of one window, by its start in milliseconds UTC; None where no report has told."""
        return self._rows.get((model, version, window_start))

    def learn(self, record: ConsumerRecord | Any) -> None:
        """Take up one record of the topic."""
        if dict(record.headers).get("ce_source") != self._source:
            return  # another installation counts the same predictions into windows of its own
        try:
            found = _decoder.decode(record.value or b"")
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.warning("%s/%s offset %s is passed over: %s", record.topic, record.partition, record.offset, error)
            return
        start = milliseconds(found.window_start)
        self._rows[found.model, found.version, start] = found.rows - found.shadow_rows
        self.learnt += 1
        self._newest = max(self._newest, start)
        if len(self._rows) > self._prune_at:
            self._rows = {key: rows for key, rows in self._rows.items() if key[2] >= self._newest - self._keep_ms}
            self._prune_at = max(100_000, 2 * len(self._rows))
