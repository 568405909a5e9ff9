"""The audit for people, and for programs."""

from __future__ import annotations

from typing import Any

import msgspec

from stream_app.audit.checks import Audit
from stream_app.audit.label_checks import LabelsAudit
from stream_app.tables import aligned


def labels_as_text(audit: LabelsAudit) -> str:
    """The same of the labels."""
    partitions = [
        [
            *(str(p.partition), p.read + p.absent, p.read, p.absent, p.counted, p.replaced, p.repeated, p.late),
            sum(p.refused.values()),
        ]
        for p in audit.partitions
    ]
    versions = [[f"{v.model}/{v.version}", v.labels, v.windows, v.final, v.late, v.open] for v in audit.versions]
    head = ["partition", "offsets", "read", "no record", "counted", "replaced", "repeated", "late", "dead letters"]
    differences = len(audit.differences)
    return "\n".join(
        [
            f"labels: {audit.on_topic} on the topic, {audit.unread} not read yet",
            "",
            *aligned(head, partitions),
            "",
            *aligned(
                ["model version", "counted or replaced", "final windows", "in final", "late for final", "in open"],
                versions,
            ),
            "",
            *(f"DIFFERENCE {difference}" for difference in audit.differences),
            "labels balance" if audit.balanced else f"labels do not balance ({differences})",
        ]
    )


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


def as_json(audit: Audit, labels: LabelsAudit | None = None) -> str:
    """One JSON object: the fields of Audit, and whether it is balanced; docs/operations.md lists them. labels: None
    where none are counted.
    """
    fields: dict[str, Any] = msgspec.to_builtins(audit)
    balanced = audit.balanced and (labels is None or labels.balanced)
    if labels is not None:
        fields["labels"] = {"balanced": labels.balanced, **msgspec.to_builtins(labels)}
    return msgspec.json.encode({"balanced": balanced, **fields}).decode()


def _verdict(audit: Audit) -> str:
    if audit.balanced:
        return "balanced"
    hint = "; --recount finds window, source partition and offsets" if audit.recounted is None else ""
    return f"does not balance ({len(audit.differences)}){hint}"
