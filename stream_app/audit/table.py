"""The audit for people, and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from stream_app.audit.checks import Audit
from stream_app.audit.difference import Kind
from stream_app.audit.label_checks import LabelsAudit
from stream_app.tables import aligned

_HINTS: dict[Kind, str] = {
    "answered": "answered and not on the topic: the API's outbox has it still (wait until its series "
    "tidemark_api_outbox_used_ratio is 0), it lies aside (python -m api aside list), or STREAM_TOPIC_PREFIX "
    "is not the API's",
    "offsets": "offsets: were records deleted before a worker read them, was a state topic emptied, or `predictions` "
    "made anew?",
    "reports": "reports: was `drift-reports` emptied? Else it is a fault",
    "ahead": "ahead: start a worker, its next batch mends it",
}
_COUNTED: frozenset[Kind] = frozenset({"records", "dead-letters", "rows", "window"})
"""Kinds that a recount places more exactly. Of events that are not on the topic it knows nothing."""


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
            *(f"note: {note}" for note in audit.notes),
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
        *(f"hint: {hint}" for hint in _hints(audit)),
        "balanced" if audit.balanced else f"does not balance ({len(audit.differences)})",
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


def _hints(audit: Audit) -> Iterator[str]:
    """What to do next about each kind of difference that there is."""
    kinds = {difference.kind for difference in audit.differences}
    yield from (hint for kind, hint in _HINTS.items() if kind in kinds)
    if audit.recounted is None and kinds & _COUNTED:
        yield "rows that differ: --recount finds window, source partition and offsets"
