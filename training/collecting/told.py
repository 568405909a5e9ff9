"""The event of a data set that was collected: what went into it, so that anybody can tell what a version learnt."""

from __future__ import annotations

from datetime import datetime

from contracts.model_events import ModelEvent
from training.collecting.collect import Collected
from training.data.span import span_text


def collected_event(
    found: Collected, *, id_: str, at: datetime, champion: str, by: str, work: str | None = None
) -> ModelEvent:
    """champion: the version whose features are the columns. work: the retraining that it is for, None: nobody's.

    details: digest, rows (and how many are a base's), the range that was asked for and the times of the first and last
    row that was found in it, the share that is labelled, what was left out.
    """
    return ModelEvent(
        id=id_,
        kind="collected",
        at=at,
        model=found.model,
        version=champion,
        by=by,
        reason=f"{found.labelled:,} labelled predictions of {found.predictions:,}, {found.rows:,} rows",
        details={
            "work": work,
            "digest": found.digest,
            "rows": found.rows,
            "base_rows": found.base_rows,
            "since": found.since.isoformat(),
            "until": found.until.isoformat(),
            "first": None if found.first is None else found.first.isoformat(),
            "last": None if found.last is None else found.last.isoformat(),
            "leave_out": [span_text(span) for span in found.leave_out],
            "left_out": found.left_out,
            "coverage": found.coverage,
            "incomplete": found.incomplete,
            "complete_only": found.complete_only,
        },
    )
