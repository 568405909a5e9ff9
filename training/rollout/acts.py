"""Acts: what is done to a rollout: its tag as it is to be, and the event that says so. Pure.

The tag is set first, for the API follows it; whoever is cut off before the event leaves a tag that nobody was told of.
An event has the same id whenever it is written, so whoever comes next writes it again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from contracts.model_events import ModelEvent, ModelEventKind
from contracts.rollout import Rollout
from training.promotion.change import Details
from training.topics.steps import Step


@dataclass(frozen=True)
class Ended:
    """How a rollout ended. reason: one sentence."""

    how: Literal["promoted", "ended", "overtaken"]
    reason: str


@dataclass(frozen=True)
class Act:
    """rollout: as the tag is to be, None: nothing is on its way. ended: how it ends the rollout, None: not at all."""

    rollout: Rollout | None
    event: ModelEvent
    ended: Ended | None = None

    @property
    def line(self) -> str:
        """For people."""
        words = self.event.reason if self.rollout is not None else f"is out: {self.event.reason}"
        return f"{self.event.model}/{self.event.version} {words}"


@dataclass(frozen=True)
class Acts:
    """Makes them, of one model. by: who does."""

    model: str
    by: str
    now: Callable[[], datetime]

    def change(self, rollout: Rollout, champion: str, reason: str) -> Act:
        """It begins, or has a larger share."""
        return self._changed(rollout, champion, f"{where(rollout)}: {reason}")

    def go_on(self, rollout: Rollout, champion: str) -> Act:
        """Somebody else began it, and may not have been able to say so."""
        return self._changed(rollout, champion, f"goes on {where(rollout)}, since {rollout.since:%H:%M:%S} UTC")

    def out(self, rollout: Rollout, champion: str | None, ended: Ended) -> Act:
        """Nobody is answered by it from now on."""
        details: Details = {"stage": rollout.stage, "share": rollout.share}
        id_ = f"rollout-ended/{self._name(rollout)}"
        return Act(None, self._event("rollout-ended", id_, rollout.version, champion, ended.reason, details), ended)

    def lost(self, steps: Sequence[Step], version: str, reason: str) -> Act | None:
        """Its tag is gone, and no step says so: that it is out, said late. None: a step says how it ended, or it never
        began.
        """
        last = last_of(steps, version)
        if last is None or last.kind != "rollout-changed":
            return None
        id_ = f"rollout-ended/{last.id.removeprefix('rollout/')}"
        event = self._event("rollout-ended", id_, version, last.previous, reason, last.details)
        return Act(None, event, Ended("ended", reason))

    def _changed(self, rollout: Rollout, champion: str, words: str) -> Act:
        details: Details = {"stage": rollout.stage, "share": rollout.share}
        id_ = f"rollout/{self._name(rollout)}"
        return Act(rollout, self._event("rollout-changed", id_, rollout.version, champion, words, details))

    def _event(
        self, kind: ModelEventKind, id_: str, version: str, champion: str | None, reason: str, details: Details
    ) -> ModelEvent:
        return ModelEvent(
            id=id_,
            kind=kind,
            at=self.now(),
            model=self.model,
            version=version,
            by=self.by,
            reason=reason,
            previous=champion,
            details=details,
        )

    def _name(self, rollout: Rollout) -> str:
        return f"{self.model}/{rollout.version}/{rollout.since.isoformat()}"


def last_of(steps: Sequence[Step], version: str) -> ModelEvent | None:
    """The newest word of a version's rollout, or that it was promoted. None: it never began."""
    kinds = ("rollout-changed", "rollout-ended", "promoted")
    events = (step.event for step in reversed(steps))
    return next((event for event in events if event.version == version and event.kind in kinds), None)


def where(rollout: Rollout) -> str:
    """What it does now, for people."""
    return "in shadow" if rollout.stage == "shadow" else f"answers {rollout.share:g} % of the entities"
