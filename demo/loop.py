"""Loop: what has happened in the second act so far. A part of the Story."""

from __future__ import annotations

from dataclasses import dataclass, field

from contracts.model_events import ModelEvent
from contracts.performance import PerformanceReport
from contracts.reports import DriftReport
from demo.datasets.dataset import SecondAct
from demo.scenario import Phase

Seen = tuple[str, int]
"""A model version, and the number of a window."""


@dataclass(frozen=True)
class Later:
    """Both models on the same rows, all of which came after the new one had become the champion: AUC over all of them.

    windows: of both in each whole window, in order.
    """

    rows: int
    before: float
    after: float
    windows: tuple[tuple[float, float], ...] = ()

    @property
    def better_windows(self) -> int:
        """In how many the new one ranks better."""
        return sum(after > before for before, after in self.windows)


@dataclass
class Loop:
    """The second act. phase: as one of the story's phases. performance: the highest revision of each window.

    reports: of versions that came later; those of the first one are the story's. steps: what `model-events` says, with
    the seconds of the run. closed_at: rows of the act that were sent when the new champion was there.
    """

    act: SecondAct
    phase: Phase
    performance: dict[Seen, PerformanceReport] = field(default_factory=dict)
    reports: dict[Seen, DriftReport] = field(default_factory=dict)
    steps: dict[str, tuple[float, ModelEvent]] = field(default_factory=dict)
    sent: int = 0
    labels: int = 0
    shadowed: int = 0
    closed_at: int | None = None
    later: Later | None = None

    @property
    def moved(self) -> str | None:
        """Id of the newest step that the new version took in front of users, or out; None before the first."""
        kinds = ("rollout-changed", "rollout-ended", "promoted", "retraining-ended")
        found = [event.id for _, event in self.steps.values() if event.kind in kinds]
        return found[-1] if found else None

    def step(self, kind: str) -> ModelEvent | None:
        """The last one of a kind."""
        return next((event for _, event in reversed(self.steps.values()) if event.kind == kind), None)

    @property
    def outcome(self) -> str | None:
        """How the retraining ended; None while it has not."""
        ended = self.step("retraining-ended")
        return None if ended is None else str(ended.details.get("outcome"))

    @property
    def champion(self) -> str | None:
        """The version that was promoted."""
        promoted = self.step("promoted")
        return None if promoted is None else promoted.version
