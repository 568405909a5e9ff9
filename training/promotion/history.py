"""The history of a model's versions, as `model-events` tells it: who was champion before whom, and lines for people.

Pure. A promotion puts its version on a pile, a roll-back takes versions off it: two in a row go back two versions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from training.promotion.claims import holder, unfinished
from training.topics.steps import Step

_ASIDE = ("claimed", "withdrawn", "rollout-trouble")
"""Steps of which there may be many, and which change nothing."""


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


def champions(steps: Sequence[Step]) -> set[str]:
    """Versions that have been champion, as the steps tell it: `previous` of any step was at that moment, whoever had
    made it so. A claim alone does not tell: nobody knows what became of it.
    """
    found = {step.event.previous for step in steps if step.event.previous is not None}
    for step in steps:
        event = step.event
        if event.kind in ("promoted", "rolled-back") or event.details.get("alias") == "champion":
            found.add(event.version)
    return found


def shown(steps: Sequence[Step], *, every: bool) -> list[Step]:
    """Those that a reader wants to see first."""
    return [step for step in steps if every or step.event.kind not in _ASIDE]


def history_lines(steps: Sequence[Step], champion: str | None, *, every: bool = False) -> list[str]:
    """A table of the steps, and what the alias says. champion: the alias as it is now, None: there is none."""
    rows = [
        (
            f"{step.event.at:%Y-%m-%d %H:%M:%S}",
            step.event.kind,
            step.event.version,
            step.event.previous or "-",
            step.event.by,
            step.event.reason,
        )
        for step in shown(steps, every=every)
    ]
    table = [("time (UTC)", "step", "version", "champion before", "by", "why"), *rows]
    widths = [max(len(row[i]) for row in table) for i in range(5)]
    lines = ["  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[5]]) for row in table]
    if not rows:
        lines = ["no steps yet"]
    return [*lines, f"champion now: {champion or 'none'}", *_remarks(steps, champion)]


def _remarks(steps: Sequence[Step], champion: str | None) -> list[str]:
    """What the log and the alias disagree about, and who is at work."""
    lines = []
    last = next((s.event for s in reversed(steps) if s.event.kind in ("promoted", "rolled-back")), None)
    if last is not None and last.version != champion:
        lines.append(f"the last step made {last.version} the champion: the alias was moved without a step after it")
    claim = holder(steps)
    if claim is not None:
        lines.append(
            f"claimed by {claim.event.by} for version {claim.event.version} at {claim.at:%H:%M:%S}, not ended yet"
        )
    return lines
