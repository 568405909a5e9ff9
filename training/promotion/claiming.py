"""Claiming: a change of the champion under a claim on `model-events`, and what is written there about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from contracts.model_events import ModelEvent, ModelEventKind
from training.errors import PromotionError, PublishError, RegistryError, UnknownOutcome
from training.promotion.change import Change, Details, Tools
from training.promotion.claims import ACT_SECONDS, CLAIM, CLAIM_SECONDS, ended_last, holder
from training.topics.model_events import ModelEvents
from training.topics.steps import Step


class Claiming:
    """Of one model."""

    def __init__(self, model: str, events: ModelEvents, tools: Tools) -> None:
        self._model, self._events, self._tools = model, events, tools

    def run(self, change: Change, check: Callable[[], None], move: Callable[[], None]) -> None:
        """Claim; check and move while the claim holds; say so. check, move: may raise PromotionError and RegistryError:
        the claim is then taken back, unless move raises UnknownOutcome. move: one request to the registry, which is not
        made where all before it took too long. Raises PublishError, also where it could not be taken back.
        """
        began = self._tools.seconds()
        claim = self._event("claimed", change, change.reason, {"for": change.kind})
        self._events.write(claim)
        try:
            _won(claim, self._events.read(self._model))
            check()
            if self._tools.seconds() - began > ACT_SECONDS:
                raise PromotionError(f"this took more than {ACT_SECONDS} s: nothing has changed, try again")
            move()
        except UnknownOutcome:
            raise
        except (PromotionError, RegistryError, PublishError) as error:
            self._withdraw(claim, change, error)
            raise
        try:
            self._events.write(self._event(change.kind, change, change.reason, {**change.details, CLAIM: claim.id}))
        except PublishError as error:
            raise PublishError(
                f"version {change.version} is the champion now, but no event says so; others tell by the claim, and "
                f"wait {CLAIM_SECONDS} s: {error}"
            ) from error

    def _withdraw(self, claim: ModelEvent, change: Change, why: Exception) -> None:
        try:
            self._events.write(self._event("withdrawn", change, str(why), {CLAIM: claim.id}))
        except PublishError as error:
            raise PublishError(
                f"{why}; nothing has changed, but the claim could not be taken back and ends after {CLAIM_SECONDS} s: "
                f"{error}"
            ) from error

    def _event(self, kind: ModelEventKind, change: Change, reason: str, details: Details) -> ModelEvent:
        return ModelEvent(
            id=self._tools.new_id(),
            kind=kind,
            at=self._tools.now(),
            model=self._model,
            version=change.version,
            by=change.by,
            reason=reason,
            previous=change.seen,
            details=details,
        )


def _won(claim: ModelEvent, steps: list[Step]) -> None:
    """Raises PromotionError where another claim holds, or none of ours is there."""
    first = holder(steps)
    done = ended_last(steps)
    if first is None and done is not None and any(step.event.id == claim.id for step in steps):
        raise PromotionError(  # we claimed while it held, and read when it was over
            f"{done.event.by} was first, and is done since {done.at:%H:%M:%S} UTC (version {done.event.version}, "
            f"{done.event.kind}): nothing was changed; see `python -m training history`, and try again"
        )
    if first is None:
        raise PromotionError(f"the claim to promote {claim.model} is not on model-events: was the topic made anew?")
    other = first.event
    if other.id == claim.id:
        return
    goal = "roll back to" if other.details.get("for") == "rolled-back" else "promote"
    ends = first.at + timedelta(seconds=CLAIM_SECONDS)
    raise PromotionError(
        f"{other.by} was first, at {first.at:%H:%M:%S} UTC, to {goal} version {other.version} ({other.reason}): "
        f"nothing was changed; see `python -m training history`; if that process is gone, try again at {ends:%H:%M:%S}"
    )
