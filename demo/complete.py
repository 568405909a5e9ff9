"""Whether all has come that a run must wait for, before it is judged. Pure."""

from __future__ import annotations

from demo.loop import Loop
from demo.story import Story


def missing(story: Story, loop: Loop) -> str | None:
    """What has not come yet, in words; None when all is there."""
    if not _reported(story, loop):
        return "every window's report"
    phases = (*story.phases, loop.phase)
    if not all(story.alerts_of(phase) for phase in phases if phase.blames):
        return "the alerts"
    if loop.champion is not None and (loop.champion, loop.phase.window_numbers[-1]) not in loop.performance:
        return "the performance of the last window"
    return None


def _reported(story: Story, loop: Loop) -> bool:
    """All of the first act, what was to be learnt, and the new champion's last window, which its last event closes."""
    learnt = range(loop.phase.first, loop.phase.first + loop.act.learn)
    first = all(number in story.reports for number in (*range(story.windows), *learnt))
    last = max((number for _, number in loop.reports), default=-1)
    return first and (loop.champion is None or last == loop.phase.window_numbers[-1])
