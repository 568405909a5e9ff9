"""Lifespan: the background tasks of one process, from its start to an orderly end that drains the outbox."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI

from api.errors import OutboxClosed
from api.guard.following import KeyFollower
from api.guard.opening import say_who_is_let_in
from api.http.routes import Services
from api.memory import keep_large_blocks
from api.outbox.settler import Settler
from api.outbox.slots import Slot
from api.predicting.champion import ChampionFollower
from api.settings import ApiSettings
from api.telemetry import Telemetry
from api.tls.following import CertificateFollower
from api.watch import Watch, leave
from api.workers.board import Worker

log = logging.getLogger(__name__)

SYNC_SECONDS = 1.0
SHOW_SECONDS = 1.0
FIRST_MODEL_SECONDS = 60.0


@asynccontextmanager
async def running(
    services: Services,
    slot: Slot,
    settings: ApiSettings,
    worker: Worker | None,
    keys: KeyFollower | None,
    certificates: CertificateFollower | None,
    _: FastAPI,
) -> AsyncIterator[None]:
    """The application from its start to its end, as FastAPI takes it. Gives the slot back."""
    keep_large_blocks()
    say_who_is_let_in(services.guard, settings.host)
    watch, publishing = Watch(), Watch()
    for name, task in services.following.tasks():
        watch.start(name, task)
    watch.start("sync", _sync_every(services.settler, services.telemetry, SYNC_SECONDS))
    watch.start("label sync", _sync_every(services.labelling.settler, services.telemetry, SYNC_SECONDS))
    watch.start("receipt keys", services.labelling.receipts.run())
    if keys is not None:
        watch.start("keys", keys.run())
    if certificates is not None:
        certificates.start()
        watch.start("certificate", certificates.run())
    publishing.start("publisher", services.publisher.run())
    publishing.start("labels", services.labelling.publisher.run())
    if worker is not None:
        watch.start("metrics", _show(worker, services.telemetry))
        await _tried(services.following.champion, FIRST_MODEL_SECONDS)  # until then the others answer
    yield
    await watch.end()
    await services.settler.idle()
    await services.labelling.settler.idle()
    await _drain(services, 0 if publishing.failed else settings.drain_seconds)
    await publishing.end()
    await services.ledger.close()
    await asyncio.to_thread(services.outbox.close)
    await asyncio.to_thread(services.labelling.outbox.close)
    await services.mirror.close()
    services.catalogue.close()
    await services.explanations.close()
    slot.release()
    if watch.failed or publishing.failed:
        await leave(1)


async def _drain(services: Services, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(services.publisher.drained(), services.labelling.publisher.drained())
    for name, outbox in (("outbox", services.outbox), ("outbox of labels", services.labelling.outbox)):
        left = outbox.backlog.pending_bytes
        if left:
            log.warning("%s: %d bytes are left for the next start", name, left)


async def _tried(follower: ChampionFollower, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await follower.tried.wait()


async def _show(worker: Worker, telemetry: Telemetry) -> None:
    """What the other workers show of this one is never older than this."""
    while True:
        worker.show(telemetry.page())
        await asyncio.sleep(SHOW_SECONDS)


async def _sync_every(settler: Settler, telemetry: Telemetry, seconds: float) -> None:
    """Bounds what a power cut can take; where each group is synced, finds out that a disk takes syncs again."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await settler.settle()
        except OutboxClosed:  # the outbox has said it
            telemetry.unsynced.inc()
