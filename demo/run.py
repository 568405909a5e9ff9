"""`make demo`: the whole loop on real servers, told from the first download to the last account.

Launches an installation, sends the plot's traffic, kills a worker, waits for the windows, the alerts and the accounts,
and judges. Everything it starts ends with it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from demo.datasets.dataset import Dataset
from demo.directory import fresh_directory
from demo.errors import DemoError
from demo.launch import Launch
from demo.load import send
from demo.narrator import Narrator
from demo.observe import watch_alerts, watch_reports
from demo.scenario import Phase, Plan, event_times, plot, start_before
from demo.story import Story
from demo.traffic import bodies
from demo.verdict import Audit, expectations, read_audit, summary
from demo.view import print_result

KILL_IN_WINDOW = 4
LATENESS_SECONDS = 300.0
"""Of event time: 83 events, far more than 16 connections can reorder."""
_RESTART_AFTER_SECONDS = 1.0
_PATIENCE_SECONDS = 60.0


async def run(dataset: Dataset, directory: Path, *, seed: int, rate: float, plan: Plan, console: Console) -> bool:
    """One run; True when every promise held. Raises DemoError, or a StackError of the servers."""
    began = time.monotonic()
    with fresh_directory(directory) as home:
        phases = await asyncio.to_thread(plot, dataset, plan, seed)
        windows = sum(phase.windows for phase in phases)
        story = Story(plan, phases, start_before(datetime.now(UTC), windows, plan))
        with Narrator(story, console) as narrator:
            launch = Launch(dataset, home, plan, seed, LATENESS_SECONDS, narrator.note)
            try:
                narrator.doing("starting Kafka and Redis, training a model")
                await launch.start()
                audit = await _Acts(story, narrator, launch, dataset, rate).play()
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

    def __init__(self, story: Story, narrator: Narrator, launch: Launch, dataset: Dataset, rate: float) -> None:
        self.story, self.narrator, self.launch, self.dataset, self.rate = story, narrator, launch, dataset, rate
        self.tasks: list[asyncio.Task[None]] = []

    async def play(self) -> Audit:
        """Traffic, the last windows, the accounts."""
        installation = self.launch.installation
        self._meanwhile(watch_reports(installation.bootstrap, self.narrator.report))
        self._meanwhile(watch_alerts(installation.alerts_file, self.narrator.alert))
        try:
            began = time.monotonic()
            for phase in self.story.phases:
                await self._send(phase)
            self.story.seconds["traffic"] = time.monotonic() - began
            self.narrator.doing("traffic has ended; the last window closes by itself")
            began = time.monotonic()
            await self._wait(lambda: len(self.story.reports) >= self.story.windows, "every window's report")
            await self._wait(self._all_paged, "the alerts")
            self.story.seconds["last windows"] = time.monotonic() - began
            return await self._audit()
        finally:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)

    def _meanwhile(self, work: Coroutine[None, None, None]) -> None:
        self.tasks.append(asyncio.create_task(work))

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

    def _all_paged(self) -> bool:
        return all(self.story.alerts_of(phase) for phase in self.story.phases if phase.blames)

    async def _wait(self, condition: Callable[[], bool], what: str) -> None:
        """Patience has an end: what is missing then is for the verdict to say."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not condition():
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
