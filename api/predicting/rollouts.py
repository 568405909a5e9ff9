"""Follows the rollout: loads the version that is on its way, and lets it answer or shadow as the registry says.

Its loading is not the champion's: another thread, another local copy, another process that proves it; whatever goes
wrong here the champion answers everything. Without a rollout the challenger is held ready, so that its promotion takes
no loading. What was loaded last stays loaded until another one is wanted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from api.errors import ModelRefused, OutboxUnusable, RegistryAway
from api.models.pointers import Pointers
from api.models.served import Served
from api.models.version import ModelVersion
from api.predicting.following import REFUSED_POLLS, Result, Versions
from api.predicting.predictor import Predictor
from api.requests.rolling import Rolling
from api.telemetry import Telemetry
from contracts.rollout import Rollout

log = logging.getLogger(__name__)


class RolloutFollower:
    """versions: the registry, with a local copy of its own. prepare, adopt, ended: as of ChampionFollower; loaded: on
    the event loop, after a version was loaded. refused: told of a rollout whose version cannot be served, and why.
    standby: whether the challenger is loaded without a rollout.
    """

    def __init__(
        self,
        versions: Versions,
        predictor: Predictor,
        telemetry: Telemetry,
        *,
        prepare: Callable[[ModelVersion], Served],
        adopt: Callable[[Served], None],
        loaded: Callable[[Served], None],
        refused: Callable[[Rollout, str], None],
        ended: Callable[[], None] = lambda: None,
        standby: bool = True,
    ) -> None:
        self._versions = versions
        self._predictor = predictor
        self._telemetry = telemetry
        self._prepare = prepare
        self._adopt = adopt
        self._loaded = loaded
        self._told = refused
        self._ended = ended
        self._standby = standby
        self._pointers: Pointers | None = None
        self._held: Served | None = None
        self._applied: tuple[Rollout, Served] | None = None
        self._refused: tuple[str, int, str] | None = None  # version, polls until it is tried again, why
        self._detail = ""
        self._work = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rollout")

    def held(self, version: str) -> Served | None:
        """This version, if it is loaded here."""
        return self._held if self._held is not None and self._held.baseline.version == version else None

    def state(self) -> Rolling | None:
        """What people are told; None: nothing is on its way."""
        pointers = self._pointers
        if pointers is None or pointers.rollout is None:
            return None if pointers is None or not pointers.wrong else Rolling.unreadable(pointers.wrong)
        rollout, lane = pointers.rollout, self._predictor.lanes.lane
        if lane is not None and lane.rollout == rollout:
            return Rolling.of(rollout, "active", lane.conversion.wrong, lane.served.scorer.kind)
        if self._refused is not None and self._refused[0] == rollout.version:
            return Rolling.of(rollout, "refused", self._refused[2])
        champion = self._predictor.served
        if champion is not None and champion.baseline.version == rollout.version:
            return Rolling.of(rollout, "arrived", "it is the champion")
        return Rolling.of(rollout, "loading", self._detail)

    def want(self, pointers: Pointers) -> None:
        """What the registry said last. To be called on the event loop, at each poll."""
        if pointers.wrong and (self._pointers is None or self._pointers.wrong != pointers.wrong):
            log.error("models: the rollout is not followed: %s", pointers.wrong)
        self._pointers = pointers
        if self._refused is not None:
            version, left, why = self._refused
            self._refused = (version, left - 1, why) if left else None
        self._apply()
        if self._missing() is not None:
            self._work.set()

    async def run(self) -> None:
        """Forever, until cancelled."""
        try:
            while True:
                await self._work.wait()
                self._work.clear()
                version = self._missing()
                if version is not None:
                    await self._load(version)
        finally:
            self._ended()
            self._thread.shutdown(wait=False, cancel_futures=True)

    def _wanted(self) -> str | None:
        if self._pointers is None:
            return None
        if self._pointers.rollout is not None:
            return self._pointers.rollout.version
        return self._pointers.challenger if self._standby else None

    def _missing(self) -> str | None:
        """The version to load now. The champion comes first."""
        version, champion = self._wanted(), self._predictor.served
        if version is None or champion is None or version in (champion.baseline.version, self._pointed_to_by_alias()):
            return None
        refused = self._refused is not None and self._refused[0] == version
        return None if refused or self.held(version) is not None else version

    def _pointed_to_by_alias(self) -> str | None:
        return None if self._pointers is None else self._pointers.champion

    def _apply(self) -> None:
        rollout = None if self._pointers is None else self._pointers.rollout
        served = None if rollout is None else self.held(rollout.version)
        wanted = None if rollout is None or served is None else (rollout, served)
        if wanted != self._applied:
            self._applied = wanted
            self._predictor.lanes.roll(*(wanted or (None, None)))
            lane = self._predictor.lanes.lane
            if lane is not None:
                share = "" if lane.shadows else f" for {lane.rollout.share:g} % of the entities"
                log.info("models: %s is %s%s", lane.served.key, lane.rollout.stage, share)
                if lane.conversion.wrong:
                    log.warning("models: %s fits no request: %s", lane.served.key, lane.conversion.wrong)
            elif rollout is None:
                log.info("models: the rollout has ended")

    async def _load(self, version: str) -> None:
        try:
            served = await self._in_thread(lambda: self._made_ready(version))
        except ModelRefused as error:
            self._refuse(version, str(error))
        except (RegistryAway, OutboxUnusable) as error:  # the next poll tries again
            if self._detail != str(error):
                log.warning("models: version %s is not on its way yet: %s", version, error)
            self._detail = str(error)
        except Exception:
            log.exception("models: unexpected; the rollout is not followed, the champion goes on")
            self._refuse(version, "unexpected error: see the log")
        else:
            log.info("models: %s is ready", served.key)
            self._held, self._detail = served, ""
            self._loaded(served)
            self._apply()

    def _made_ready(self, version: str) -> Served:
        model = self._versions.load(version)
        try:
            served = self._prepare(model)
            self._adopt(served)
        except Exception:
            self._versions.discard(model)
            raise
        return replace(served, folder=self._versions.keep(model, served.proof))

    def _refuse(self, version: str, why: str) -> None:
        log.error("models: version %s is not on its way: %s", version, why)
        self._refused = version, REFUSED_POLLS, why
        rollout = None if self._pointers is None else self._pointers.rollout
        if rollout is not None and rollout.version == version:
            self._telemetry.rollout_failures.inc()
            self._told(rollout, why)

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
