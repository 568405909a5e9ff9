"""`make demo`: the whole loop on real servers, told from the first download to the last account.

Launches an installation, sends the first act's traffic, kills a worker, plays the second act, waits for the windows,
the alerts and the accounts, and judges. Everything it starts ends with it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from demo.complete import missing
from demo.datasets.dataset import Dataset
from demo.datasets.write import Clock
from demo.directory import fresh_directory
from demo.errors import DemoError
from demo.launch import Launch, together
from demo.load import send
from demo.loop import Loop
from demo.narrator import Narrator
from demo.observe import watch_alerts, watch_performance, watch_reports, watch_steps
from demo.scenario import Phase, Plan, event_times, last_phase, plot, start_before
from demo.second_act import Director
from demo.story import Story
from demo.summary import summary
from demo.traffic import bodies
from demo.verdict import Audit, expectations, read_audit
from demo.view import print_result

KILL_IN_WINDOW = 4
LATENESS_SECONDS = 300.0
"""Of event time: 83 events, far more than 16 connections can reorder."""
_RESTART_AFTER_SECONDS = 1.0
_PATIENCE_SECONDS = 90.0


async def run(dataset: Dataset, directory: Path, *, seed: int, rate: float, plan: Plan, console: Console) -> bool:
    """One run; True when every promise held. Raises DemoError, or a StackError of the servers."""
    began = time.monotonic()
    with fresh_directory(directory) as home:
        phases = await asyncio.to_thread(plot, dataset, plan, seed)
        act = await asyncio.to_thread(dataset.second_act, seed)
        phase = last_phase(act, phases)
        start = start_before(datetime.now(UTC), phase.first + phase.windows, plan)
        loop = Loop(act, phase)
        story = Story(plan, phases, start, loop)
        with Narrator(story, console) as narrator:
            clock = None if act.reference_rows is None else Clock(act.reference_rows, plan.window, start)
            launch = Launch(dataset, home, plan, seed, LATENESS_SECONDS, narrator.note, clock)
            try:
                narrator.doing("starting Kafka and Redis, training a model")
                await launch.start()
                audit = await _Acts(story, loop, narrator, launch, dataset, rate).play()
            finally:
                narrator.doing("stopping")
                await launch.stop()
        story.seconds = {**launch.seconds, **story.seconds, "all": time.monotonic() - began}
        checks = expectations(story, audit)
        result = summary(story, audit, checks)
        path = home / "summary.json"
        path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        print_result(console, story, audit, checks, path, launch.installation.alerts_file)
        return bool(result["held"])


class _Acts:
    """What happens between start and stop."""

    def __init__(
        self, story: Story, loop: Loop, narrator: Narrator, launch: Launch, dataset: Dataset, rate: float
    ) -> None:
        self.story, self.loop, self.narrator, self.launch = story, loop, narrator, launch
        self.dataset, self.rate = dataset, rate
        self.tasks: list[asyncio.Task[None]] = []

    async def play(self) -> Audit:
        """Both acts, the last windows, the accounts."""
        installation, act = self.launch.installation, self.loop.act
        self._meanwhile(watch_reports(installation.bootstrap, self.narrator.report))
        self._meanwhile(watch_performance(installation.bootstrap, self.narrator.measured))
        self._meanwhile(watch_steps(installation.bootstrap, self.narrator.step))
        self._meanwhile(watch_alerts(installation.alerts_file, self.narrator.alert))
        try:
            watch = await self.launch.watch(act)
            began = time.monotonic()
            directing = asyncio.create_task(asyncio.to_thread(self._director))  # it writes all bodies: seconds
            await together(self._first_act(), self.launch.mute(act, self.story.start))
            director = await directing
            self.story.seconds["first act"] = time.monotonic() - began
            began = time.monotonic()
            await director.play(watch)
            self.story.seconds["second act"] = time.monotonic() - began
            self.narrator.doing("traffic has ended; the last window closes by itself")
            began = time.monotonic()
            await self._wait_for_all()
            self.story.seconds["last windows"] = time.monotonic() - began
            return await self._audit()
        finally:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)

    def _meanwhile(self, work: Coroutine[None, None, None]) -> None:
        self.tasks.append(asyncio.create_task(work))

    async def _first_act(self) -> None:
        for phase in self.story.phases:
            await self._send(phase)

    async def _send(self, phase: Phase) -> None:
        self.narrator.doing(f"{phase.name}: {phase.title}")
        plan, installation = self.story.plan, self.launch.installation
        self.story.began[phase.name] = (time.time(), len(self.story.tally.answered))
        times = event_times(self.story.start + phase.first * plan.window, plan.step, len(phase.rows))
        before = phase.first * plan.rows_per_window
        requests = bodies(phase.rows, self.dataset.description, times)
        await send(
            requests,
            installation.api_url,
            self.story.tally,
            rate=self.rate,
            on_sent=lambda sent: self._sent(before + sent),
        )
        self._check()

    def _sent(self, sent: int) -> None:
        self.story.sent = sent
        if sent == round((KILL_IN_WINDOW - 0.5) * self.story.plan.rows_per_window):
            self._meanwhile(self._kill_a_worker())

    async def _kill_a_worker(self) -> None:
        worker = self.launch.workers[0]
        pid = worker.pid
        await asyncio.to_thread(worker.kill)
        self.narrator.note(f"{worker.name} (process {pid}) killed with SIGKILL")
        await asyncio.sleep(_RESTART_AFTER_SECONDS)
        await asyncio.to_thread(worker.start)
        self.narrator.note(f"{worker.name} started again (process {worker.pid})")
        self.story.kill = f"{worker.name}, process {pid}, in window {KILL_IN_WINDOW}"

    def _director(self) -> Director:
        return Director(self.story, self.loop, self.narrator, self.launch, self.dataset, self._check)

    async def _wait_for_all(self) -> None:
        """Patience has an end: what is missing then is for the verdict to say."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while (what := missing(self.story, self.loop)) is not None:
            self._check()
            if time.monotonic() > deadline:
                self.narrator.note(f"waited {_PATIENCE_SECONDS:g} s in vain for {what}")
                return
            await asyncio.sleep(0.1)

    def _check(self) -> None:
        being_killed = None if self.story.kill else self.launch.workers[0]
        self.launch.check(but=being_killed)
        for task in self.tasks:
            if task.done() and (error := task.exception()):
                raise DemoError(f"the demo lost sight of the stream: {error}") from error

    async def _audit(self) -> Audit:
        self.narrator.doing("balancing the accounts")
        installation = self.launch.installation
        answered = installation.directory / "answered.txt"
        answered.write_text("".join(f"{id_}\n" for id_ in self.story.tally.answered), encoding="utf-8")
        audit = installation.service("audit", "stream_app", "audit", "--json", "--answered", str(answered))
        await asyncio.to_thread(audit.start)
        status = await asyncio.to_thread(audit.wait, _PATIENCE_SECONDS)
        if status not in (0, 1):
            raise DemoError("the audit could not be made:\n    " + "\n    ".join(audit.tail(8)))
        return read_audit(audit.tail(1)[0])
