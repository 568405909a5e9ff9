"""Claims: who may move the champion now. Pure: the steps of a model in, the claim that holds out.

MLflow has no compare-and-swap, but the topic `model-events` has an order. Whoever wants to move the champion writes a
claim, reads the topic to its end, and goes on only if his claim holds there; everybody who reads it finds the same:

    time   topic            holds
    0      claimed by Ann   Ann
    2      claimed by Bob   Ann      Bob reads this, and gives up
    3      promoted (Ann)   nobody
    9      claimed by Cid   Cid      Cid's process dies
    70     claimed by Dan   Dan      Cid's claim is older than CLAIM_SECONDS
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from training.topics.steps import Step

CLAIM_SECONDS = 60
"""After this a claim that nobody has ended does not hold any more: its owner is gone."""
ACT_SECONDS = 20
"""Its owner asks for the alias to be moved within this, or not at all. The request may take 35 s more (three tries of
10 s and the pauses between them, training.registry.store): 55 s after the claim nothing of it is under way.
"""
CLAIM = "claim"
"""Detail of the steps that end a claim: its event id."""
_ENDS = ("promoted", "rolled-back", "withdrawn")


def holder(steps: Sequence[Step]) -> Step | None:
    """The claim that holds after these steps, in the topic's order; None: nobody is at it."""
    return _held(steps)[0]


def ended_last(steps: Sequence[Step]) -> Step | None:
    """The step that ended the last claim that held and was ended: what a claim beside it was too late for."""
    return _held(steps)[1]


def _held(steps: Sequence[Step]) -> tuple[Step | None, Step | None]:
    holds: Step | None = None
    ended: Step | None = None
    for step in steps:
        if step.event.kind == "claimed":
            if holds is None or step.at - holds.at > timedelta(seconds=CLAIM_SECONDS):
                holds = step
        elif holds is not None and step.event.kind in _ENDS and step.event.details.get(CLAIM) == holds.event.id:
            holds, ended = None, step
    return holds, ended


def unfinished(steps: Sequence[Step]) -> list[Step]:
    """Claims that no step has ended, the newest last: of losers, of those at work now, and of those who died."""
    ended = {step.event.details.get(CLAIM) for step in steps if step.event.kind in _ENDS}
    return [step for step in steps if step.event.kind == "claimed" and step.event.id not in ended]
