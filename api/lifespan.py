"""Lifespan: the background tasks of one process, from its start to an orderly end that drains the outbox."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI

from api.guard.following import KeyFollower
from api.guard.opening import say_who_is_let_in
from api.http.routes import Services
from api.memory import keep_large_blocks
from api.outbox.log import Outbox
from api.outbox.slots import Slot
from api.predicting.champion import ChampionFollower
from api.settings import ApiSettings
from api.telemetry import Telemetry
from api.workers.board import Worker

log = logging.getLogger(__name__)

SYNC_SECONDS = 1.0
SHOW_SECONDS = 1.0
FIRST_MODEL_SECONDS = 60.0


@asynccontextmanager
async def running(
    services: Services, slot: Slot, settings: ApiSettings, worker: Worker | None, keys: KeyFollower | None, _: FastAPI
) -> AsyncIterator[None]:
    """The application from its start to its end, as FastAPI takes it. Gives the slot back."""
    keep_large_blocks()
    say_who_is_let_in(services.guard, settings.host)
    background = [asyncio.create_task(services.follower.run(), name="champion")]
    background.append(asyncio.create_task(_sync_every(services.outbox, services.telemetry, SYNC_SECONDS), name="sync"))
    if keys is not None:
        background.append(asyncio.create_task(keys.run(), name="keys"))
    publishing = asyncio.create_task(services.publisher.run(), name="publisher")
    if worker is not None:
        background.append(asyncio.create_task(_show(worker, services.telemetry), name="metrics"))
        await _tried(services.follower, FIRST_MODEL_SECONDS)  # until then the others answer
    yield
    await _end(*background)
    await _drain(services, settings.drain_seconds)
    await _end(publishing)
    await services.ledger.close()
    await asyncio.to_thread(services.outbox.close)
    await services.mirror.close()
    services.catalogue.close()
    await services.explanations.close()
    slot.release()


async def _drain(services: Services, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await services.publisher.drained()
    left = services.outbox.backlog.pending_bytes
    if left:
        log.warning("outbox: %d bytes are left for the next start", left)


async def _tried(follower: ChampionFollower, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await follower.tried.wait()


async def _show(worker: Worker, telemetry: Telemetry) -> None:
    """What the other workers show of this one is never older than this."""
    while True:
        worker.show(telemetry.page())
        await asyncio.sleep(SHOW_SECONDS)


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _sync_every(outbox: Outbox, telemetry: Telemetry, seconds: float) -> None:
    """Bounds what a power cut can take; where each group is synced, finds out that a disk takes syncs again."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await asyncio.to_thread(outbox.sync)
        except OSError:  # the outbox has said it
            telemetry.unsynced.inc()
