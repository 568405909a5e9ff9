"""Workshop: what a retraining needs of the world, and its word on `model-events`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from contracts.model_events import ModelEvent, ModelEventKind
from training.promotion.change import Details, Tools
from training.registry.registered import Registered
from training.retraining.hands import Hands
from training.retraining.shelf import Shelf, Work
from training.topics.model_events import ModelEvents


@dataclass(frozen=True)
class Workshop:
    """hands: do the steps. by: who asks. say: told of each step, one line."""

    registered: Registered
    events: ModelEvents
    tools: Tools
    shelf: Shelf
    hands: Hands
    by: str
    say: Callable[[str], None]

    def tell(self, kind: ModelEventKind, work: Work, version: str, reason: str, details: Details) -> None:
        """The same id when it is said again after a crash, by which readers know it. Raises PublishError."""
        self.events.write(
            ModelEvent(
                id=f"{kind}/{work.id}",
                kind=kind,
                at=self.tools.now(),
                model=work.model,
                version=version,
                by=self.by,
                reason=reason,
                previous=work.champion,
                details=details,
            )
        )
