"""Story: what has happened in one run of the demo so far. The live view draws it, the verdict judges it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from contracts.alerts import DriftAlert
from contracts.performance import PerformanceReport
from contracts.reports import DriftReport
from demo.load import Tally
from demo.loop import Loop
from demo.scenario import QUIET, Phase, Plan


@dataclass(frozen=True)
class Delivered:
    """One alert that the receiver took. received: its clock, seconds; answered: events answered by then."""

    alert: DriftAlert
    received: float
    answered: int


@dataclass
class Story:
    """start: event time of window 0. began: phase name -> (wall clock in seconds, events answered) at its first event.

    repeats: reports that came again with an id known already, as they may after a crash. reports: of the model that
    there was at the beginning.
    """

    plan: Plan
    phases: tuple[Phase, ...]
    start: datetime
    loop: Loop | None = None
    version: str = "1"
    tally: Tally = field(default_factory=Tally)
    reports: dict[int, DriftReport] = field(default_factory=dict)
    repeats: int = 0
    alerts: list[Delivered] = field(default_factory=list)
    began: dict[str, tuple[float, int]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    doing: str = "starting"
    sent: int = 0
    kill: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def windows(self) -> int:
        """How many windows the first act has."""
        return sum(phase.windows for phase in self.phases)

    @property
    def events(self) -> int:
        """How many events the plot has."""
        return self.windows * self.plan.rows_per_window + (0 if self.loop is None else len(self.loop.act.rows))

    def number(self, window_start: datetime) -> int:
        """The window that starts then, counted from 0."""
        return (window_start - self.start) // self.plan.window

    def phase_of(self, window: int) -> Phase | None:
        """The phase that a window belongs to; None for a window outside the plot."""
        phases = self.phases if self.loop is None else (*self.phases, self.loop.phase)
        return next((phase for phase in phases if window in phase.window_numbers), None)

    def report(self, report: DriftReport) -> None:
        """Take in a report; one with a known id is a repeat."""
        number = self.number(report.window_start)
        if self.loop is not None and report.version != self.version:
            self.loop.reports[report.version, number] = report
            return
        if number in self.reports:
            self.repeats += 1
        self.reports[number] = report

    def measured(self, report: PerformanceReport) -> bool:
        """Take in a performance report; False where a later revision was there before."""
        if self.loop is None:
            return False
        seen = report.version, self.number(report.window_start)
        former = self.loop.performance.get(seen)
        if former is not None and former.revision >= report.revision:
            return False
        self.loop.performance[seen] = report
        return True

    def deliver(self, alert: DriftAlert, received: float) -> None:
        """Take in an alert that the receiver took."""
        self.alerts.append(Delivered(alert, received, len(self.tally.answered)))

    def alerts_of(self, phase: Phase) -> list[Delivered]:
        """Alerts whose window lies in a phase, in order of delivery."""
        return [seen for seen in self.alerts if self.number(seen.alert.window_start) in phase.window_numbers]

    def delay(self, seen: Delivered) -> tuple[int, float] | None:
        """From a phase's first event to the delivery of an alert of its windows: events answered, and seconds.

        None where no one moment began it: in the second act, and outside the plot.
        """
        phase = self.phase_of(self.number(seen.alert.window_start))
        if phase not in self.phases or phase.name not in self.began:
            return None
        began, answered = self.began[phase.name]
        return seen.answered - answered, seen.received - began

    @property
    def quiet(self) -> Phase:
        """The phase in which nothing may page."""
        return next(phase for phase in self.phases if phase.name == QUIET)
