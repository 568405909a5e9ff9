"""Promotion: move the alias `champion`, so that of any number of people and programs at once one does.

Claim on `model-events` -> read the topic to its end -> the alias must still be what was seen -> move it -> say so. What
fails before the alias has moved takes the claim back; whoever dies leaves a claim that ends by itself. Without Kafka
there is no order to rely on: the alias is looked at before and after, and that is said.
"""

from __future__ import annotations

from contracts.errors import ContractError
from contracts.rollout import ROLLOUT_TAG
from training.errors import PromotionError, RegistryError, UnknownOutcome
from training.promotion.change import Change, Changed, Tools
from training.promotion.claiming import Claiming
from training.registry.records import Version
from training.registry.registered import CHALLENGER, CHAMPION, Registered
from training.topics.model_events import ModelEvents

FORMER_TAG = "tidemark.former_champion"
"""Of a version: which one was champion when it was promoted. What a roll-back without Kafka goes by."""
_ALONE = "TRAINING_BOOTSTRAP is not set: no event was written, and nobody keeps two promoters at once apart"


class Promotion:
    """Of one model. events: None where no Kafka is configured."""

    def __init__(self, registered: Registered, events: ModelEvents | None, tools: Tools) -> None:
        self._registered, self._events, self._tools = registered, events, tools

    def make(self, change: Change) -> Changed:
        """Do it. Raises PromotionError when somebody else was first, RegistryError and PublishError; each says whether
        the champion has changed.
        """
        version = self._registered.find(change.version)
        if self._events is None:
            self._ready(version, change)
            self._move(version)
            self._check(change.version)
            return Changed(change, (_ALONE, *self._tidied(change)))
        claiming = Claiming(self._registered.model, self._events, self._tools)
        claiming.run(change, lambda: self._ready(version, change), lambda: self._move(version))
        return Changed(change, self._tidied(change))

    def _check(self, expected: str | None) -> None:
        now = self._registered.marks().champion
        if now != expected:
            was, is_ = expected or "none", now or "none"
            raise PromotionError(
                f"the champion was {was} and is {is_} now: somebody else moved it; look again, then retry"
            )

    def _ready(self, version: Version, change: Change) -> None:
        """All that needs the registry before the alias may move."""
        if change.kind == "promoted":
            self._registered.set_tags(version, {FORMER_TAG: change.seen or ""})
        self._check(change.seen)

    def _move(self, version: Version) -> None:
        try:
            self._registered.registry.set_alias(version, CHAMPION)
        except RegistryError as error:
            try:
                now = self._registered.marks().champion
            except RegistryError:
                raise UnknownOutcome(
                    f"{error}; whether version {version.version} is the champion now is not known: see "
                    "`python -m training history` when MLflow is back"
                ) from error
            if now != version.version:
                raise

    def _tidied(self, change: Change) -> tuple[str, ...]:
        """After the alias has moved: the version is no challenger any more, nor on its way; nor is the champion before,
        whose promotion may not have come to this: its canary would go on answering.
        """
        remarks = []
        try:
            marks = self._registered.marks()
            if change.kind == "promoted" and marks.aliases.get(CHALLENGER) == change.version:
                self._registered.drop_alias(CHALLENGER)
            rollout = marks.rollout
            if rollout is not None and rollout.version in (change.version, change.seen):
                self._registered.set_model_tag(ROLLOUT_TAG, "")
            elif rollout is not None:
                remarks.append(
                    f"version {rollout.version} is still on its way ({rollout.stage}), beside the new champion"
                )
        except (RegistryError, ContractError) as error:
            remarks.append(f"the champion has changed, but not all is tidied up: {error}")
        return tuple(remarks)
