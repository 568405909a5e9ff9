"""The second act: rows in time order with their truth a window later, until a new model answers; then the rest of them.

The wall clock decides nothing: while the retraining is at work the demo's clock stands still, and in shadow and canary
rows flow as long as a stage lasts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from demo.batches import Batches
from demo.datasets.dataset import Dataset
from demo.errors import DemoError
from demo.feed import Feed
from demo.launch import Launch
from demo.looking import rollout_state, shadowed_rows
from demo.loop import Loop
from demo.narrator import Narrator
from demo.scenario import LABEL_WINDOWS
from demo.stack.processes import ServiceProcess
from demo.story import Story
from demo.two_models import compared

_STEP_ROWS, _STEP_BATCH, _STEP_SECONDS = 3_000, 250, 0.25
_TRICKLE_BATCH, _TRICKLE_SECONDS = 25, 0.5
_PATIENCE_SECONDS = 300.0
_DECISION_SECONDS = 20.0
_LEFT_WINDOWS = 3
"""So many are kept for a new champion, whatever takes long before."""


class Director:
    """Of one run. look: raises an error when a service has ended. watch: the process that is to close the loop."""

    def __init__(
        self, story: Story, loop: Loop, narrator: Narrator, launch: Launch, dataset: Dataset, look: Callable[[], None]
    ) -> None:
        self._story, self._loop, self._narrator, self._launch = story, loop, narrator, launch
        self._description, self._look = dataset.description, look
        self._api = Batches(launch.installation.api_url, story.tally, loop.act.name)
        self._feed = Feed(story, loop, dataset.description, self._api)

    async def play(self, watch: ServiceProcess) -> None:
        """All of it."""
        act, loop, say = self._loop.act, self._loop, self._narrator.doing
        say(f"{act.name}: {act.title}")
        self._story.began[act.name] = (time.time(), len(self._story.tally.answered))
        async with self._api:
            with self._timed("learn"):
                for _ in range(act.learn + LABEL_WINDOWS):
                    self._look()
                    await self._feed.window()
            say(f"{act.name}: {loop.labels:,} labels are there; the demo's clock waits for the retraining")
            with self._timed("retraining"):
                await self._decided(watch)
                await self._wait(lambda: loop.moved is not None, watch, "a new version in shadow")
            with self._timed("rollout"):
                await self._rolled_out(watch)
            await self._wait(lambda: loop.outcome is not None, watch, "the end of the retraining")
            with self._timed("rest"):
                await self._rest()
        loop.shadowed = await shadowed_rows(self._launch.installation)

    async def _decided(self, watch: ServiceProcess) -> None:
        """A window more now and then while nothing is decided: what holds it back may end with the next alert."""
        deadline = time.monotonic() + _DECISION_SECONDS
        enough = _LEFT_WINDOWS * self._loop.act.rows_per_window
        while self._loop.step("retraining-decided") is None and self._feed.left > enough:
            self._check(watch)
            if time.monotonic() > deadline:
                self._narrator.note("nothing is decided yet: one more window")
                await self._feed.window()
                deadline = time.monotonic() + _DECISION_SECONDS
            await asyncio.sleep(0.1)

    async def _rolled_out(self, watch: ServiceProcess) -> None:
        """Rows flow while a stage lasts; one that lasts long gets few, so that some are left for the new champion.

        They begin when the API has loaded the shadow: rows that it does not score would be compared with none.
        """
        loop = self._loop
        if loop.moved is None or loop.outcome is not None:
            return
        await self._wait_for_shadow(watch)
        self._narrator.doing(f"{loop.act.name}: goes on, while the new version comes step by step")
        moved, begun = loop.moved, loop.sent
        while loop.outcome is None and loop.champion is None and self._feed.left:
            self._check(watch)
            if loop.moved != moved:
                moved, begun = loop.moved, loop.sent
            few = loop.sent - begun >= _STEP_ROWS
            await self._feed.send(_TRICKLE_BATCH if few else _STEP_BATCH)
            await asyncio.sleep(_TRICKLE_SECONDS if few else _STEP_SECONDS)

    async def _wait_for_shadow(self, watch: ServiceProcess) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self._loop.outcome is None and time.monotonic() < deadline:
            self._check(watch)
            if await rollout_state(self._launch.installation) == "active":
                return
            await asyncio.sleep(0.2)

    async def _rest(self) -> None:
        """What is left of the rows; both models are compared on them meanwhile."""
        loop, judging = self._loop, None
        self._narrator.doing(f"{loop.act.name}: the rest of it")
        if loop.champion is not None:
            loop.closed_at = loop.sent
            versions = self._story.version, loop.champion
            judging = asyncio.create_task(compared(self._launch.installation, loop, self._description, versions))
        while self._feed.left:
            self._look()
            await self._feed.window()
        await self._feed.end()
        if judging is not None:
            loop.later = await judging

    async def _wait(self, condition: Callable[[], bool], watch: ServiceProcess, what: str) -> None:
        """Patience has an end: what is missing then is for the verdict to say."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not condition():
            self._check(watch)
            if time.monotonic() > deadline:
                self._narrator.note(f"waited {_PATIENCE_SECONDS:g} s in vain for {what}")
                return
            await asyncio.sleep(0.1)

    def _check(self, watch: ServiceProcess) -> None:
        self._look()
        if watch.returncode not in (None, 0):
            end = "\n    ".join(watch.tail(8))
            raise DemoError(f"watch ended with status {watch.returncode}; its log is {watch.log}:\n    {end}")

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._story.seconds[name] = time.monotonic() - began
