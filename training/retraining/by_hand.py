"""By hand: the retraining that a person asks for: none beside another one, and what was cut short is not forgotten."""

from __future__ import annotations

from datetime import datetime

from training.data.span import Span, merged
from training.errors import PromotionError, TrainingError
from training.retraining.hands import Hands
from training.retraining.shelf import Work
from training.retraining.work import new_work
from training.rollout.course import in_the_way

PERSON = "person"
"""The trigger of such a retraining."""


def asked_for(hands: Hands, reason: str, heard: datetime, leave_out: tuple[Span, ...]) -> Work:
    """What the same `retrain` began and could not end, else a new retraining.

    Raises TrainingError where another one has not ended, PromotionError where there is no champion, or another version
    is on its way; RegistryError.
    """
    model = hands.registered.model
    left = hands.shelf.unfinished(model)
    for work in left:
        # what it leaves out may have grown since
        whole = merged([*work.leave_out, *leave_out]) == merged(work.leave_out)
        if (work.trigger, work.reason) == (PERSON, reason) and whole:
            hands.say(f"retraining {work.id} was cut short: it goes on")
            return work
    if left:
        raise TrainingError(f"retraining {left[0].id} ({left[0].reason}) has not ended: {what_is_left(hands, left[0])}")
    marks = hands.registered.marks()
    if marks.champion is None:
        raise PromotionError(f"{model} has no champion: `python -m training promote VERSION`")
    if beside := in_the_way(model, marks):
        raise PromotionError(beside)
    return new_work(model, marks.champion, PERSON, reason, heard, leave_out)


def what_is_left(hands: Hands, work: Work) -> str:
    """Of a retraining that has not ended: who goes on with it, and how to give it up. Raises TrainingError."""
    now = hands.shelf.now(work)
    same = ", and so does the same `retrain`" if work.trigger == PERSON else ""
    give_up = f"remove {hands.shelf.folder(work)}"
    if now.gated:  # its version may be on its way
        give_up = f"`python -m training rollout {now.version} --end --reason TEXT`"
    return f"`python -m training watch` goes on with it{same}; to give it up, {give_up}"
