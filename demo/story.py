"""Story: what has happened in one run of the demo so far. The live view draws it, the verdict judges it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from contracts.alerts import DriftAlert
from contracts.reports import DriftReport
from demo.load import Tally
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

    repeats: reports that came again with an id known already, as they may after a crash.
    """

    plan: Plan
    phases: tuple[Phase, ...]
    start: datetime
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
        """How many windows the plot has."""
        return sum(phase.windows for phase in self.phases)

    @property
    def events(self) -> int:
        """How many events the plot has."""
        return self.windows * self.plan.rows_per_window

    def number(self, window_start: datetime) -> int:
        """The window that starts then, counted from 0."""
        return (window_start - self.start) // self.plan.window

    def phase_of(self, window: int) -> Phase | None:
        """The phase that a window belongs to; None for a window outside the plot."""
        return next((phase for phase in self.phases if window in phase.window_numbers), None)

    def report(self, report: DriftReport) -> None:
        """Take in a report; one with a known id is a repeat."""
        number = self.number(report.window_start)
        if number in self.reports:
            self.repeats += 1
        self.reports[number] = report

    def deliver(self, alert: DriftAlert, received: float) -> None:
        """Take in an alert that the receiver took."""
        self.alerts.append(Delivered(alert, received, len(self.tally.answered)))

    def alerts_of(self, phase: Phase) -> list[Delivered]:
        """Alerts whose window lies in a phase, in order of delivery."""
        return [seen for seen in self.alerts if self.number(seen.alert.window_start) in phase.window_numbers]

    @property
    def quiet(self) -> Phase:
        """The phase in which nothing may page."""
        return next(phase for phase in self.phases if phase.name == QUIET)
