"""Follows the champion alias: looks it up every few seconds, and at once when `model-events` says that something has
changed; loads a new version in a thread, swaps it in. One that is loaded already, because it was on its way or was the
champion before, is swapped in within milliseconds.

Whatever goes wrong, the version that answers goes on. A start takes the local copy at once, if it is known to be right,
and then asks the registry: a champion that was moved meanwhile answers seconds later, as it does in a running process.
A start without the registry stays with the local copy.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from api.errors import ModelRefused, NothingToServe, OutboxUnusable, RegistryAway
from api.health import Health
from api.models.pointers import Pointers
from api.models.served import Served
from api.models.version import ModelVersion
from api.predicting.following import REFUSED_POLLS, Result, Versions
from api.predicting.predictor import Predictor
from api.telemetry import Telemetry

log = logging.getLogger(__name__)

_ASK_AGAIN_SECONDS = 0.25
"""After a question that somebody asked for and that found nothing new: the word may be faster than the deed."""

_SAY_AGAIN = timedelta(minutes=10)


class Rollouts(Protocol):
    """What is asked of api.predicting.rollouts.RolloutFollower."""

    def want(self, pointers: Pointers) -> None:
        """What the registry said last."""

    def held(self, version: str) -> Served | None:
        """This version, if it is loaded already."""


class ChampionFollower:
    """prepare: makes a loaded version ready (blocks). adopt: called with it, in the thread, before it answers, and
    swapped: on the event loop, after it does. ended: called when run() ends, to cut short what the thread is at.
    rollouts: hears what the registry says, and may hold the next champion. standby: whether the one before is kept.
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
        now: Callable[[], datetime],
        poll_seconds: float,
        ended: Callable[[], None] = lambda: None,
        rollouts: Rollouts | None = None,
        standby: bool = True,
    ) -> None:
        self.health = Health(False, "not asked yet")
        self.tried = asyncio.Event()  # set after the first attempt to have a version, whatever came of it
        self._versions = versions
        self._predictor = predictor
        self._telemetry = telemetry
        self._prepare = prepare
        self._adopt = adopt
        self._swapped = swapped
        self._now = now
        self._poll_seconds = poll_seconds
        self._refused: dict[str, int] = {}
        self._no_copy = ""
        self._said = now()
        self._asked_again = False
        self._ended = ended
        self._rollouts = rollouts
        self._standby = standby
        self._before: Served | None = None
        self._woken = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="models")

    async def run(self) -> None:
        """Forever, until cancelled."""
        try:
            await self.begin()
            while True:
                again = self._woken.is_set()
                self._woken.clear()
                try:
                    await self.poll()
                except Exception:
                    log.exception("models: unexpected; the loaded version goes on")
                    self._away("unexpected error: see the log")
                self.tried.set()
                await self._pause(again)
        finally:
            self._ended()
            self._thread.shutdown(wait=False, cancel_futures=True)

    def wake(self) -> None:
        """Look the alias up now."""
        self._woken.set()

    async def _pause(self, again: bool) -> None:
        """Until the next poll. again: soon, for somebody has asked for the last one."""
        seconds = min(_ASK_AGAIN_SECONDS, self._poll_seconds) if again else self._poll_seconds
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    async def poll(self) -> None:
        """Look the alias up once, and act on it."""
        try:
            pointers = await self._in_thread(self._versions.pointers)
            self._predictor.lacking = ""
            version = pointers.champion
            if self._rollouts is not None:
                self._rollouts.want(pointers)
            if not self._wanted(version):
                return
            if not await self._take_held(version):
                await self._take(await self._in_thread(lambda: self._versions.load(version)))
            self._refused.clear()
            self._well(f"the alias points to version {version}")
        except RegistryAway as error:
            self._predictor.lacking = str(error) if isinstance(error, NothingToServe) else ""
            self._away(str(error))
            await self._make_do()
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

    async def begin(self) -> None:
        """Answer with the local copy before the registry is asked, where that takes no loading of the model itself."""
        try:
            model = await self._in_thread(self._versions.load_cached)
            if model.proof is not None:
                await self._take(model)
                self.tried.set()
                self.health = Health(True, f"not asked yet; the local copy of version {model.version} answers")
        except (ModelRefused, OutboxUnusable) as error:
            log.info("models: the registry is asked first: %s", error)
        except Exception:
            log.exception("models: unexpected; the registry is asked first")

    async def _make_do(self) -> None:
        """Without the registry: the local copy, whose model is asked now if that was put off."""
        served = self._predictor.served
        if served is not None and (self._asked_again or not served.cached):
            return
        self._asked_again = served is not None
        try:
            await self._take(replace(await self._in_thread(self._versions.load_cached), proof=None))
        except (ModelRefused, OutboxUnusable) as error:
            if self._no_copy != str(error):
                log.warning("models: the local copy cannot be used either: %s", error)
            self._no_copy = str(error)

    async def _take_held(self, version: str) -> bool:
        """Swap in a version that is loaded already. False where none is, or its files are gone."""
        held = self._rollouts.held(version) if self._rollouts is not None else None
        if held is None and self._before is not None and self._before.baseline.version == version:
            held = self._before
        folder = None if held is None else held.folder
        if held is None or folder is None:
            return False
        ready = held

        def kept() -> bool:
            self._adopt(ready)
            return self._versions.keep_again(version, folder)

        if not await self._in_thread(kept):
            return False
        self._swap(replace(ready, since=self._now()))
        return True

    def _swap(self, served: Served) -> None:
        before = self._predictor.served
        if self._standby and before is not None and before.key != served.key and not before.cached:
            self._before = before
        self._predictor.swap(served)
        self._swapped(served)
        log.info("models: %s answers%s", served.key, " (local copy)" if served.cached else "")

    async def _take(self, model: ModelVersion) -> None:
        def ready() -> Served:
            try:
                served = self._prepare(model)
                self._adopt(served)
            except Exception:
                self._versions.discard(model)
                raise
            # only now: a start without the registry must find one that can be served
            return replace(served, folder=self._versions.keep(model, served.proof))

        self._swap(await self._in_thread(ready))

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _well(self, detail: str) -> None:
        if not self.health.ok:
            log.info("models: the registry answers: %s", detail)
        self.health = Health(True, detail)
        self._telemetry.registry_up.set(1)

    def _away(self, detail: str) -> None:
        now = self._now()
        if self.health != Health(False, detail) or now - self._said >= _SAY_AGAIN:
            log.warning("models: %s", detail)
            self._said = now
        self.health = Health(False, detail)
        self._telemetry.registry_up.set(0)
