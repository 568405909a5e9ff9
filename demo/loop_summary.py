"""The second act's part of `summary.json`. Pure."""

from __future__ import annotations

from typing import Any

from demo.loop import Loop
from demo.story import Story


def closing(story: Story, loop: Loop) -> dict[str, Any]:
    """JSON's values alone."""
    later = loop.later
    return {
        "outcome": loop.outcome,
        "champion": loop.champion,
        "auc_before": None if later is None else round(later.before, 4),
        "auc_after": None if later is None else round(later.after, 4),
        "later_rows": None if later is None else later.rows,
        "later_windows": [] if later is None else [[round(auc, 4) for auc in both] for both in later.windows],
        "labels": loop.labels,
        "shadowed": loop.shadowed,
        "failed_connections": story.tally.failed,
        "refused": sum(story.tally.refused.values()),
        "steps": [
            {
                "seconds": round(at, 1),
                "kind": event.kind,
                "version": event.version,
                "by": event.by,
                "reason": event.reason,
            }
            for at, event in loop.steps.values()
        ],
        "performance": [
            {
                "window": number,
                "version": version,
                "labelled": report.labelled,
                "predictions": report.predictions,
                "status": report.status,
                "auc": None if (auc := report.metric("auc")) is None else round(auc.value, 4),
                "degraded": list(report.degraded),
            }
            for (version, number), report in sorted(loop.performance.items(), key=lambda item: item[0][::-1])
        ],
    }
