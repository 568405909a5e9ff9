"""Follows the champion alias: looks it up every few seconds, loads a new version in a thread, swaps it in.

Whatever goes wrong, the version that answers goes on. A start without the registry takes the local copy.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from api.errors import ModelRefused, OutboxUnusable, RegistryAway
from api.health import Health
from api.models.served import Served
from api.models.store import ModelVersion
from api.predicting.predictor import Predictor
from api.telemetry import Telemetry

log = logging.getLogger(__name__)

REFUSED_POLLS = 15
"""A version that cannot be served is tried again after so many polls: its baseline may have been added meanwhile."""

Result = TypeVar("Result")


class Versions(Protocol):
    """What is asked of api.models.store.ModelStore. Every method blocks and is called in one thread."""

    def resolve(self) -> str: ...
    def load(self, version: str) -> ModelVersion: ...
    def load_cached(self) -> ModelVersion: ...
    def keep(self, model: ModelVersion) -> None: ...
    def discard(self, model: ModelVersion) -> None: ...


class ChampionFollower:
    """prepare: makes a loaded version ready (blocks). adopt: called with it, in the thread, before it answers, and
    swapped: on the event loop, after it does.
    """

    def __init__(
        self,
        versions: Versions,
        predictor: Predictor,
        telemetry: Telemetry,
        *,
        prepare: Callable[[ModelVersion], Served],
        adopt: Callable[[Served], None],
        swapped: Callable[[Served], None],
        poll_seconds: float,
    ) -> None:
        self.health = Health(False, "not asked yet")
        self.tried = asyncio.Event()  # set after the first attempt to have a version, whatever came of it
        self._versions = versions
        self._predictor = predictor
        self._telemetry = telemetry
        self._prepare = prepare
        self._adopt = adopt
        self._swapped = swapped
        self._poll_seconds = poll_seconds
        self._refused: dict[str, int] = {}
        self._no_copy = ""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="models")

    async def run(self) -> None:
        """Forever, until cancelled."""
        try:
            while True:
                try:
                    await self.poll()
                except Exception:
                    log.exception("models: unexpected; the loaded version goes on")
                    self._away("unexpected error: see the log")
                self.tried.set()
                await asyncio.sleep(self._poll_seconds)
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def poll(self) -> None:
        """Look the alias up once, and act on it."""
        try:
            version = await self._in_thread(self._versions.resolve)
            if not self._wanted(version):
                return
            await self._take(await self._in_thread(lambda: self._versions.load(version)))
            self._refused.clear()
            self._well(f"the alias points to version {version}")
        except RegistryAway as error:
            self._away(str(error))
            if self._predictor.served is None:
                await self._take_cached()
        except ModelRefused as error:
            self._refused[version] = REFUSED_POLLS
            self._telemetry.model_failures.inc()
            log.error("models: version %s is not served: %s", version, error)
            self._away(f"version {version} is not served: {error}")
        except OutboxUnusable as error:  # no room for its baseline; the next poll tries again
            self._away(f"version {version} waits: {error}")

    def _wanted(self, version: str) -> bool:
        served = self._predictor.served
        if served is not None and served.baseline.version == version and not served.cached:
            self._refused.clear()
            self._well(f"the alias points to version {version}")
            return False
        left = self._refused.get(version, 0)
        if left:
            self._refused[version] = left - 1
        return not left

    async def _take_cached(self) -> None:
        try:
            await self._take(await self._in_thread(self._versions.load_cached))
        except (ModelRefused, OutboxUnusable) as error:
            if self._no_copy != str(error):
                log.warning("models: no local copy either: %s", error)
            self._no_copy = str(error)

    async def _take(self, model: ModelVersion) -> None:
        def ready() -> Served:
            try:
                served = self._prepare(model)
                self._adopt(served)
            except Exception:
                self._versions.discard(model)
                raise
            self._versions.keep(model)  # only now: a start without the registry must find one that can be served
            return served

        served = await self._in_thread(ready)
        self._predictor.swap(served)
        self._swapped(served)
        log.info("models: %s answers%s", served.key, " (local copy)" if served.cached else "")

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _well(self, detail: str) -> None:
        if not self.health.ok:
            log.info("models: the registry answers: %s", detail)
        self.health = Health(True, detail)
        self._telemetry.registry_up.set(1)

    def _away(self, detail: str) -> None:
        if self.health != Health(False, detail):
            log.warning("models: %s", detail)
        self.health = Health(False, detail)
        self._telemetry.registry_up.set(0)
