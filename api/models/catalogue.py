"""The catalogue: the registered versions of the model, as the registry tells, for people who look.

It is asked only when somebody asks, in a thread, at most every FRESH_SECONDS however many ask; who waits longer than
PATIENCE_SECONDS is told about the loaded version alone, while the question goes on for those who come later.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from api.errors import RegistryAway
from api.models.compiled import is_compiled
from api.models.registered import ListedVersion, Models, RegisteredVersion
from api.models.served import Served
from api.requests.rolling import Rolling
from contracts.events import Role

LISTED = 20
FRESH_SECONDS = 15.0
PATIENCE_SECONDS = 5.0


class Registry(Protocol):
    """What is asked of api.models.store.ModelStore. Blocks."""

    def listed(self, most: int) -> tuple[RegisteredVersion, ...]:
        """The newest versions. Raises RegistryAway."""


class _Found(NamedTuple):
    """versions None: the registry is away."""

    versions: tuple[RegisteredVersion, ...] | None
    as_of: datetime
    until: float


class Catalogue:
    """served: the version that answers. rolling: the one on its way. now: the wall clock. stopwatch: seconds,
    monotonic. patience: in seconds.
    """

    def __init__(
        self,
        registry: Registry,
        name: str,
        alias: str,
        *,
        served: Callable[[], Served | None],
        now: Callable[[], datetime],
        rolling: Callable[[], Rolling | None] = lambda: None,
        stopwatch: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._registry = registry
        self._name = name
        self._alias = alias
        self._served = served
        self._rolling = rolling
        self._now = now
        self._stopwatch = stopwatch
        self._patience = patience
        self._asking: asyncio.Task[_Found] | None = None
        self._found: _Found | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="catalogue")

    async def models(self) -> Models:
        """Raises nothing: without the registry it is what is loaded."""
        found = self._found
        if found is None or self._stopwatch() >= found.until:
            found = await self._ask()
        if found.versions is None:
            return self._models("away", found.as_of, self._loaded())
        return self._models("ok", found.as_of, found.versions)

    def close(self) -> None:
        """Wait for nothing any more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _ask(self) -> _Found:
        """One question at a time, which everybody waits for."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._look(), name="catalogue")
        try:
            async with asyncio.timeout(self._patience):
                return await asyncio.shield(self._asking)
        except TimeoutError:
            return _Found(None, self._now(), 0)

    async def _look(self) -> _Found:
        versions: tuple[RegisteredVersion, ...] | None
        try:
            versions = await asyncio.get_running_loop().run_in_executor(self._thread, self._registry.listed, LISTED)
        except RegistryAway:
            versions = None
        self._found = _Found(versions, self._now(), self._stopwatch() + FRESH_SECONDS)
        return self._found

    def _loaded(self) -> tuple[RegisteredVersion, ...]:
        served = self._served()
        if served is None:
            return ()
        baseline = served.baseline
        return (
            RegisteredVersion(baseline.version, (), None, True, is_compiled(served.scorer), dict(baseline.performance)),
        )

    def _models(
        self, registry: Literal["ok", "away"], as_of: datetime, versions: tuple[RegisteredVersion, ...]
    ) -> Models:
        served, rolling = self._served(), self._rolling()
        roles: dict[str, Role] = {}
        if rolling is not None and rolling.state == "active" and rolling.stage:
            roles[rolling.version] = rolling.stage
        if served is not None:
            roles[served.baseline.version] = "champion"
        listed = tuple(ListedVersion.of(version, roles.get(version.version)) for version in versions)
        return Models(self._name, self._alias, registry, as_of, listed, rolling)
