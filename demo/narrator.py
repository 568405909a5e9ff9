"""Tells the story while it happens: a live view on a terminal, plain lines anywhere else."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live

from contracts.alerts import DriftAlert
from contracts.model_events import ModelEvent
from contracts.performance import PerformanceReport
from contracts.reports import DriftReport
from demo.alert_view import alert_line
from demo.loop_view import performance_words, step_line, told
from demo.story import Story
from demo.view import View

_WHOLE = 0.95


class Narrator:
    """A context manager around the run. The clock is the wall's: it only labels lines.

    The live view vanishes at the end, for the final tables say it all; where the run broke off it stays and says so.
    """

    def __init__(self, story: Story, console: Console) -> None:
        self.story = story
        self._console = console
        self._began = time.monotonic()
        self._measured: set[tuple[str, int]] = set()
        self._live = Live(View(story), console=console, refresh_per_second=5) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.transient = kind is None
            if kind is not None:
                self.story.doing = "broken off"
            self._live.stop()

    def doing(self, what: str) -> None:
        """What goes on from now on."""
        self.story.doing = what
        self._line(what)

    def note(self, text: str) -> None:
        """Something happened."""
        self.story.notes.append(f"{self._elapsed()} {text}")
        self._line(text)

    def report(self, report: DriftReport) -> None:
        """A window closed."""
        self.story.report(report)
        number = self.story.number(report.window_start) + 1
        alarms = f": {', '.join(report.alarms)}" if report.alarms else ""
        whose = "" if report.version == self.story.version else f" of version {report.version}"
        self._line(f"window {number}{whose}: {report.rows:,} events, {report.status}{alarms}")

    def measured(self, report: PerformanceReport) -> None:
        """Labels of a window were counted; told once, when nearly all of them have come."""
        whole = report.status != "insufficient" and (report.coverage or 0) >= _WHOLE
        seen = report.version, self.story.number(report.window_start)
        if self.story.measured(report) and whole and seen not in self._measured:
            self._measured.add(seen)
            self._line(f"window {seen[1] + 1}, version {report.version}: {performance_words(report)}")

    def step(self, event: ModelEvent) -> None:
        """Somebody did something with a version."""
        if self.story.loop is not None and event.id not in self.story.loop.steps:
            self.story.loop.steps[event.id] = (time.monotonic() - self._began, event)
            if told(event):
                self.note(step_line(event))

    def alert(self, alert: DriftAlert, received: float) -> None:
        """The webhook was called."""
        self.story.deliver(alert, received)
        self._line(alert_line(self.story, self.story.alerts[-1]))

    def _elapsed(self) -> str:
        return f"{time.monotonic() - self._began:5.1f} s"

    def _line(self, text: str) -> None:
        if not self._live:
            self._console.print(f"{self._elapsed()}  {text}", highlight=False, soft_wrap=True)
