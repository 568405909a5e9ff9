"""The audit for people, and for programs."""

from __future__ import annotations

from typing import Any

import msgspec

from stream_app.audit.checks import Audit
from stream_app.tables import aligned


def as_text(audit: Audit) -> str:
    """Two tables, the differences, and a last line that says whether everything balances."""
    partitions = [
        [str(p.partition), p.offsets, p.read, p.absent, p.counted, p.late, p.repeats, sum(p.refused.values())]
        for p in audit.accounts.partitions
    ]
    versions = [
        [f"{v.model}/{v.version}", v.counted, v.reports, v.reported_rows, v.late_rows, v.open_rows]
        for v in audit.accounts.versions
    ]
    lines = [
        f"predictions: {audit.on_topic} on the topic, {audit.unread} not read yet",
        *([] if audit.answered is None else [f"answered: {audit.answered}, not on the topic: {len(audit.lost)}"]),
        *([] if audit.recounted is None else [f"recounted: {audit.recounted} records"]),
        "",
        *aligned(
            ["partition", "offsets", "read", "no record", "counted", "late", "repeats", "dead letters"], partitions
        ),
        "",
        *aligned(["model version", "counted", "reports", "reported rows", "late in stage 2", "open rows"], versions),
        "",
        *(f"note: {note}" for note in audit.notes),
        *(f"DIFFERENCE {difference}" for difference in audit.differences),
        _verdict(audit),
    ]
    return "\n".join(lines)


def as_json(audit: Audit) -> str:
    """One JSON object: the fields of Audit, and whether it is balanced; docs/operations.md lists them."""
    fields: dict[str, Any] = msgspec.to_builtins(audit)
    return msgspec.json.encode({"balanced": audit.balanced, **fields}).decode()


def _verdict(audit: Audit) -> str:
    if audit.balanced:
        return "balanced"
    hint = "; --recount finds window, source partition and offsets" if audit.recounted is None else ""
    return f"does not balance ({len(audit.differences)}){hint}"
