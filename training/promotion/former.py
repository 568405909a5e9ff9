"""Who was champion before whom. Pure: the steps of a model in, the former champion out.

A promotion puts its version on a pile, a roll-back takes versions off it: two roll-backs in a row go back two versions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from training.promotion.claims import unfinished
from training.topics.steps import Step


class Former(NamedTuple):
    """The version to go back to. remark: what is odd about it, "" where nothing is."""

    version: str
    remark: str = ""


def pile(steps: Sequence[Step]) -> list[str]:
    """Champions as the steps tell it, the present one last. An alias that was moved by hand shows as the `previous` of
    the next step.
    """
    versions: list[str] = []
    for step in steps:
        event = step.event
        if event.kind not in ("promoted", "rolled-back"):
            continue
        if event.previous is not None and (not versions or versions[-1] != event.previous):
            versions.append(event.previous)
        if event.kind == "rolled-back" and event.version in versions[:-1]:
            del versions[len(versions) - 1 - versions[-2::-1].index(event.version) :]  # the last one below the top
        elif not versions or versions[-1] != event.version:
            versions.append(event.version)
    return versions


def former(steps: Sequence[Step], champion: str | None) -> Former | None:
    """Whom a roll-back of `champion` (the alias as it is now) goes to; None: nobody was before it."""
    versions = pile(steps)
    if champion in versions:
        at = len(versions) - 1 - versions[::-1].index(champion)
        moved = "" if at == len(versions) - 1 else f"the alias was moved by hand from {versions[-1]} to {champion}"
        return Former(versions[at - 1], moved) if at else None
    for claim in reversed(unfinished(steps)):
        if claim.event.version == champion and claim.event.previous is not None:
            return Former(claim.event.previous, f"{claim.event.by} made {champion} the champion and could not say so")
    if versions:
        return Former(versions[-1], f"no step tells how {champion or 'none'} became the champion")
    return None
