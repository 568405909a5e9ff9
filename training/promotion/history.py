"""The history of a model's versions, as `model-events` tells it, in lines for people."""

from __future__ import annotations

from collections.abc import Sequence

from training.promotion.claims import holder
from training.topics.steps import Step

_ASIDE = ("claimed", "withdrawn", "rollout-trouble")
"""Steps of which there may be many, and which change nothing."""


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
