"""SettingAside: what becomes of an event that Kafka answers about and does not take, because of its size.

It is answered, so it may not be lost; and what comes behind it may not wait for it, for a topic may never take it. So
it is put on the disk, beside the outbox, and that is said: in the log, in /health/ready and in two series. Until it is
on the disk nothing else is sent. It is not sent again by itself: behind its followers stage 1 takes it for a repeat.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from api.logs.allowance import Allowance
from api.outbox.aside import Aside
from api.outbox.segments import Group, Record
from api.telemetry import Drained

log = logging.getLogger(__name__)


class SettingAside:
    """name: in the log, as the publisher's. retry: seconds before a disk that does not take an event is asked again."""

    def __init__(self, aside: Aside, telemetry: Drained, *, name: str = "publisher", retry: float = 1.0) -> None:
        self._aside = aside
        self._telemetry = telemetry
        self._name = name
        self._retry = retry
        self._allowance = Allowance()
        telemetry.aside.set_function(lambda: aside.events)

    @property
    def said(self) -> str:
        """For /health/ready; empty when nothing lies aside."""
        events = self._aside.events
        return f"{events} too large for the topic, set aside: see `python -m api aside`" if events else ""

    def look(self) -> None:
        """See what lies there now."""
        self._aside.look()

    async def keep(self, groups: Sequence[Group], refused: Sequence[Record], trouble: Callable[[str], None]) -> None:
        """Returns when all of them are on the disk. groups: they are from here. trouble: told what hinders that."""
        ids = {record.id for record in refused}
        for group in groups:
            for record in group.records:
                if record.id in ids:
                    await self._keep(Group(group.baseline, group.written, [record]), trouble)

    async def _keep(self, group: Group, trouble: Callable[[str], None]) -> None:
        while True:
            try:
                file = await asyncio.to_thread(self._aside.keep, group)
                break
            except OSError as error:
                trouble(f"an event is too large for the topic and cannot be set aside: {error.strerror}")
                await asyncio.sleep(self._retry)
        self._telemetry.set_aside.inc()
        missed = self._allowance.suppressed(self._name, time.monotonic())
        if missed is not None:
            (record,) = group.records
            log.error(
                "%s: event %s has %d bytes, more than its topic takes (max.message.bytes): it is kept in %s, what is "
                "behind it goes on%s",
                self._name,
                record.id,
                len(record.value),
                file,
                f" ({missed} more since the last such line)" if missed else "",
            )
