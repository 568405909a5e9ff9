"""The mirror: recent predictions in Redis, for look-ups. A convenience: losing it loses nothing.

One script call writes some hundred events, packed into one argument: 1.1 us of this process each (a pipeline of SETs
costs 16.8). Every wait ends after half a second, and after a failure Redis is left alone for a moment, so a frozen
Redis hardly slows the way to Kafka.

Look-ups have connections of their own, and take turns on them: however many there are at a time, they neither keep the
writer from writing nor make it believe that Redis is away.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import redis.asyncio
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, RedisError

from api.errors import LookupsAway, NoSuchPrediction, SettingsError
from api.health import Health
from api.outbox.segments import Record
from api.publishing.mirror_layout import WRITE, Layout, even_parts, pack
from api.publishing.recent import Page, Query, read_page
from api.publishing.script import Script
from api.telemetry import Telemetry

log = logging.getLogger(__name__)

LIMIT_SECONDS = 0.5
PAUSE_SECONDS = 1.0
_AWAY = Health(False, "does not answer")
_FULL = Health(False, "is full: what is predicted now cannot be looked up")
_EVENTS_A_CALL = 250  # at most: Redis does nothing else meanwhile, some 2 ms
_READERS = 16  # commands of look-ups that are under way at a time; the others wait for their turn


class Mirror:
    """url None: no Redis is configured, nothing is written, and look-ups say so.

    cap: length of the list of recent predictions. entity_cap: of each entity's. stopwatch: seconds, monotonic.
    """

    def __init__(
        self,
        url: str | None,
        telemetry: Telemetry,
        *,
        prefix: str,
        ttl_seconds: int,
        cap: int,
        entity_cap: int,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writer = None if url is None else Script(_connections(url, 1, None), WRITE)
        # redis-py's types are partial
        self._reader: Any = None if url is None else Redis.from_pool(_connections(url, _READERS, LIMIT_SECONDS))
        self._turns = asyncio.Semaphore(_READERS)
        self._telemetry = telemetry
        self._layout = Layout(prefix)
        self._arguments = (ttl_seconds, cap, entity_cap, self._layout.one, self._layout.of_entity)
        self._stopwatch = stopwatch
        self._resume_at = 0.0
        # not configured is as it should be
        self.health = Health(url is None, "not asked yet" if url else "none is configured: no look-ups")

    async def write(self, records: Sequence[Record]) -> None:
        """Write events. Never raises for Redis: what could not be written is counted."""
        if self._writer is None:
            return
        if self._stopwatch() < self._resume_at:
            self._telemetry.mirror_failures.inc(len(records))
            return
        written = 0
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                for part in even_parts(records, _EVENTS_A_CALL):
                    await self._writer.run(self._layout.recent, *self._arguments, pack(part))
                    written += len(part)
        except (RedisError, OSError, TimeoutError) as error:
            self._telemetry.mirror_failures.inc(len(records) - written)
            self._away(error)
        else:
            self._well()

    async def check(self) -> None:
        """Ask whether Redis is there; for times without traffic. A full one answers too: only a write clears it."""
        if self._writer is None:
            return
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                await self._writer.ping()
        except (RedisError, OSError, TimeoutError) as error:
            self._away(error)
        else:
            if self.health is not _FULL:
                self._well()

    async def one(self, prediction_id: str) -> bytes:
        """The event of one prediction, JSON. Raises NoSuchPrediction or LookupsAway."""
        found: bytes | None = await self._ask("GET", self._layout.one + prediction_id)
        if found is None:
            raise NoSuchPrediction("No such prediction, or it is older than the look-ups keep.")
        return found

    async def some(self, prediction_ids: Sequence[str]) -> list[bytes | None]:
        """The events of some predictions, in their order; None where there is none. Raises LookupsAway."""
        found: list[bytes | None] = []
        for start in range(0, len(prediction_ids), _EVENTS_A_CALL):
            part = prediction_ids[start : start + _EVENTS_A_CALL]
            found += await self._ask("MGET", *(self._layout.one + id_ for id_ in part))
        return found

    async def recent(self, query: Query) -> Page:
        """A page of the newest. Raises LookupsAway."""
        return await read_page(self._ask, self._layout, query)

    async def close(self) -> None:
        """Close the connections."""
        if self._writer is not None:
            await self._writer.close()
            await self._reader.aclose()

    async def _ask(self, *command: Any) -> Any:
        if self._reader is None:
            raise LookupsAway("No Redis is configured (API_REDIS_URL), so predictions cannot be looked up.")
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                await self._turns.acquire()
        except TimeoutError as error:
            raise LookupsAway(
                "More predictions are looked up at a time than Redis answers for. Ask less often."
            ) from error
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                return await self._reader.execute_command(*command)
        except (RedisError, OSError, TimeoutError) as error:
            raise LookupsAway("Redis does not answer, so predictions cannot be looked up just now.") from error
        finally:
            self._turns.release()

    def _away(self, error: Exception) -> None:
        self._resume_at = self._stopwatch() + PAUSE_SECONDS
        # from a script an older Redis gives it as an error like any other
        health = _FULL if isinstance(error, OutOfMemoryError) or "OOM " in str(error) else _AWAY
        if self.health is not health:
            log.warning("mirror: Redis %s: %s", health.detail, error or "no answer")
        self.health = health
        self._telemetry.redis_up.set(0)

    def _well(self) -> None:
        if not self.health.ok:
            log.info("mirror: Redis answers")
        self.health = Health(True, "answers")
        self._telemetry.redis_up.set(1)


def _connections(url: str, most: int, limit: float | None) -> redis.asyncio.BlockingConnectionPool:
    """Who finds all connections in use waits for one. No retries of its own: they would be spent inside the half
    second, and the next slice is a retry. limit: of each wait on a connection, seconds.
    """
    try:
        return redis.asyncio.BlockingConnectionPool.from_url(
            url,
            max_connections=most,
            timeout=LIMIT_SECONDS,
            socket_timeout=limit,
            socket_connect_timeout=LIMIT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError as error:  # the address may hold a password: it is not repeated
        raise SettingsError(f"API_REDIS_URL: {error}") from error
