"""`var/demo/summary.json`: all of a run for programs, as the verdict saw it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from demo.causes import causes
from demo.loop_summary import closing
from demo.promise import Expectation
from demo.story import Delivered, Story
from demo.verdict import Audit, raw_quiet_alarms


def summary(story: Story, audit: Audit, checks: Sequence[Expectation]) -> dict[str, Any]:
    """JSON's values alone."""
    quiet_pages = [seen for seen in story.alerts_of(story.quiet) if seen.alert.transition != "resolve"]
    return {
        "windows": _windows(story),
        "alerts": [_alert(story, seen) for seen in story.alerts],
        "false_alarms": len(quiet_pages),
        "raw_quiet_alarms": raw_quiet_alarms(story),
        "answered": len(story.tally.answered),
        "counted": audit.counted,
        "late": audit.late,
        "dead_lettered": audit.dead_lettered,
        "balanced": audit.balanced,
        "loop": None if story.loop is None else closing(story, story.loop),
        "repeated_reports": story.repeats,
        "killed": story.kill,
        "held": all(check.held for check in checks),
        "expectations": [{"promise": c.promise, "held": c.held, "found": c.found} for c in checks],
        "seconds": {name: round(value, 2) for name, value in story.seconds.items()},
    }


def _windows(story: Story) -> list[dict[str, Any]]:
    windows = []
    for number, report in sorted(story.reports.items()):
        phase = story.phase_of(number)
        windows.append(
            {
                "window": number,
                "phase": phase.name if phase else None,
                "start": report.window_start.isoformat(),
                "rows": report.rows,
                "status": report.status,
                "alarms": list(report.alarms),
            }
        )
    return windows


def _alert(story: Story, seen: Delivered) -> dict[str, Any]:
    window = story.number(seen.alert.window_start)
    phase, delayed = story.phase_of(window), story.delay(seen)
    return {
        "phase": phase.name if phase else None,
        "subject": seen.alert.subject,
        "version": seen.alert.version,
        "transition": seen.alert.transition,
        "severity": seen.alert.severity,
        "window": window,
        "features": [feature.feature for feature in seen.alert.features],
        "causes": causes(seen.alert),
        "summary": seen.alert.summary,
        "delay_events": None if delayed is None else delayed[0],
        "delay_seconds": None if delayed is None else round(delayed[1], 2),
    }
