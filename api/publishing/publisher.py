"""Publisher: drains the outbox to Kafka. One group in flight: read, send, mirror, await every replica, acknowledge.

No event leaves before the baseline of its version was acknowledged in this process's life, so whoever reads the topic
can always find out what an event is to be compared with; `api.publishing.announcements` has the exceptions. On an
error: a new connection, the same position.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from aiokafka.errors import KafkaError

from api.health import Health
from api.outbox.backlog import Slice
from api.outbox.segments import Outcome, Record
from api.outbox.slots import Slot
from api.outbox.sources import Source, Sources
from api.publishing.announcements import Announcements
from api.publishing.giving_way import LOOK_SECONDS, GivingWay
from api.publishing.pace import Pace, a_turn_later, limited
from api.publishing.setting_aside import SettingAside
from api.telemetry import Drained

log = logging.getLogger(__name__)

CONNECT_SECONDS = 15.0


class Link(Protocol):
    """What is asked of api.publishing.producer.Producer."""

    async def send_baseline(self, data: bytes) -> None: ...
    async def send(self, records: Sequence[Record]) -> Sequence[Record]: ...
    async def check(self) -> None: ...
    async def close(self) -> None: ...


class Sink(Protocol):
    """What is asked of api.publishing.mirror.Mirror."""

    async def write(self, records: Sequence[Record]) -> None: ...
    async def check(self) -> None: ...


class Publisher:
    """connect: makes a Link, raises KafkaError. now: wall clock, milliseconds. stopwatch: seconds, monotonic.

    setting_aside: takes what Kafka does not. remember: asked before the records that carry outcomes are sent, and so
    before they can be forgotten. name: in the log. lazy: connects only when something waits. giving_way: when to let
    others go first.
    """

    def __init__(
        self,
        sources: Sources,
        connect: Callable[[], Awaitable[Link]],
        mirror: Sink,
        telemetry: Drained,
        pace: Pace,
        setting_aside: SettingAside,
        *,
        now: Callable[[], float],
        stopwatch: Callable[[], float] = time.monotonic,
        remember: Callable[[Sequence[Outcome]], Awaitable[None]] | None = None,
        name: str = "publisher",
        lazy: bool = False,
        giving_way: GivingWay | None = None,
    ) -> None:
        self._health = Health(True, "nothing to send yet") if lazy else Health(False, "not connected yet")
        self._name = name
        self._lazy = lazy
        self._sources = sources
        self._connect = connect
        self._mirror = mirror
        self._telemetry = telemetry
        self._pace = pace
        self._setting_aside = setting_aside
        self._now = now
        self._stopwatch = stopwatch
        self._remember = remember
        self._giving_way = giving_way
        self._wanted: list[str] = []
        self._announcements = Announcements(telemetry, again=pace.adopt, stopwatch=stopwatch)
        self._up = False
        self._adopt_at = 0.0
        self._emptied = asyncio.Event()

    @property
    def health(self) -> Health:
        """Whether Kafka takes what is sent, and has taken all of it."""
        said = self._setting_aside.said
        return Health(False, f"{self._health.detail}; {said}") if said else self._health

    def announce(self, key: str) -> None:
        """Publish this version's baseline soon, even before its first event. Its slot has it already."""
        self._wanted.append(key)

    async def run(self) -> None:
        """Forever, until cancelled. Nothing that Kafka does ends it."""
        try:
            while True:
                try:
                    await self._something_to_send()
                    await self._connected()
                except (KafkaError, OSError, TimeoutError) as error:
                    self._away(str(error) or type(error).__name__)
                except Exception:
                    log.exception("%s: unexpected; a new connection from the same position", self._name)
                    self._away("unexpected error: see the log")
                try:
                    await self._mirror.check()
                except Exception:
                    log.exception("%s: unexpected; the mirror is asked again", self._name)
                await asyncio.sleep(self._pace.retry)
        finally:
            self._sources.close()

    async def drained(self) -> None:
        """Returns when nothing of this process's own outbox waits any more."""
        self._emptied.clear()
        if self._sources.own.backlog.pending_bytes:
            await self._emptied.wait()

    async def _something_to_send(self) -> None:
        """Returns when there is, or at once where it is not to be waited for."""
        while self._lazy and not self._sources.waiting():
            self._adopt(self._stopwatch())
            await asyncio.sleep(self._pace.linger)

    def _adopt(self, now: float) -> None:
        """Look for abandoned outboxes, now and then."""
        if now >= self._adopt_at:
            self._sources.adopt()
            self._setting_aside.look()
            self._adopt_at = now + self._pace.adopt

    async def _connected(self) -> None:
        async with limited(CONNECT_SECONDS, "no connection"):
            link = await self._connect()
        try:
            check_at = 0.0
            while True:
                if self._gives_way():
                    await asyncio.sleep(LOOK_SECONDS)
                    continue
                moved = await self._pass(link)
                now = self._stopwatch()
                if not moved and now >= check_at:
                    async with self._patience():
                        await asyncio.gather(link.check(), self._mirror.check())
                    self._well()
                if moved or now >= check_at:
                    check_at = now + self._pace.check
                self._adopt(now)
                # a short pause makes batches of some hundred events; with a backlog they are large without it
                await asyncio.sleep(0 if moved and self._sources.behind() else self._pace.linger)
        finally:
            await link.close()

    def _gives_way(self) -> bool:
        """Whether others of this process are to have the event loop just now."""
        way, sources = self._giving_way, self._sources
        if way is None:
            return False
        if not sources.behind():
            way.caught_up()
        return way.now(sources.own.backlog.pending_bytes)

    async def _pass(self, link: Link) -> bool:
        """One slice of each source. True when there was one."""
        while self._wanted:
            await self._announce(link, self._sources.own.slot, self._wanted[0])
            self._wanted.pop(0)
        for key in self._announcements.due():
            await self._announce(link, self._sources.own.slot, key)
        moved = False
        for source, slice_ in self._sources.slices():
            if slice_ is not None:
                await self._publish(link, source, slice_)
                moved = True
                continue
            self._sources.emptied(source)
            if source is self._sources.own:
                self._emptied.set()
        return moved

    async def _publish(self, link: Link, source: Source, slice_: Slice) -> None:
        for key in {key for group in slice_.groups for key in group.baselines}:
            await self._announce(link, source.slot, key)
        records = [record for group in slice_.groups for record in group.records]
        answered = [record for record in records if record.origin is None or not record.origin.shadow_of]
        outcomes = [record.outcome for record in records if record.outcome is not None]
        if outcomes and self._remember is not None:
            await self._remember(outcomes)
        async with self._patience():
            # look-ups are of answers: what a shadow said is on the topic alone
            _, refused = await asyncio.gather(self._mirror.write(answered), a_turn_later(link.send, records))
        if refused:
            await self._setting_aside.keep(slice_.groups, refused, self._away)
        source.backlog.ack(slice_)
        self._telemetry.published.inc(len(records) - len(refused))
        self._telemetry.publish_lag.observe(max(0.0, self._now() - slice_.groups[0].written) / 1000)
        self._well()

    async def _announce(self, link: Link, slot: Slot, key: str) -> None:
        if self._announcements.open(key):
            async with self._patience():
                await self._announcements.announce(link, slot, key)

    @asynccontextmanager
    async def _patience(self) -> AsyncIterator[None]:
        """Say that Kafka is away after a while without an answer, and give the connection up after a longer one."""
        loop = asyncio.get_running_loop()
        warning = loop.call_later(self._pace.warn, self._away, f"no answer for {self._pace.warn:g} s")
        try:
            async with limited(self._pace.limit, "no acknowledgement"):
                yield
        finally:
            warning.cancel()

    def _away(self, detail: str) -> None:
        if self._health != Health(False, detail):
            log.warning("%s: Kafka is away, events wait in the outbox: %s", self._name, detail)
        self._health = Health(False, detail)
        self._up = False
        self._telemetry.kafka_up.set(0)

    def _well(self) -> None:
        if not self._up:
            log.info("%s: Kafka answers", self._name)
        self._up = True
        self._telemetry.kafka_up.set(1)
        refused, unread = ", ".join(self._announcements.refused), self._sources.trouble
        said = [f"refuses the baseline of {refused}: see the log"] if refused else []
        said += [f"answers, but {unread}"] if unread else []
        self._health = Health(not said, "; ".join(said) or "answers")
