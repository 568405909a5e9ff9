"""The summary and the comparison of a replay, for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from contracts.dead_letters import DeadLetter
from stream_app.replay.lines import ComparisonLine, SummaryLine

_DIFFERENCES = 20
"""Windows listed; all are in the JSON Lines."""
_FEATURES = 15


def refused_text(first: Mapping[str, DeadLetter]) -> list[str]:
    """An example of each reason."""
    return [f"refused  {reason}, first {letter.id}: {letter.detail}" for reason, letter in sorted(first.items())]


def summary_text(summary: SummaryLine) -> list[str]:
    """The accounts and what was found."""
    refused = sum(summary.refused.values())
    reasons = ", ".join(f"{reason} {number:,}" for reason, number in summary.refused.items())
    elsewhere = [
        (summary.late_at_merge, "late at the merge"),
        (summary.cut_rows, f"in {summary.cut_windows:,} cut windows"),
        (summary.open_rows, f"in {summary.open_windows:,} open windows"),
    ]
    return [
        f"read     {summary.read:,} = counted {summary.counted:,} + late {summary.late:,} + repeats "
        f"{summary.repeats:,} + refused {refused:,}" + (f" ({reasons})" if reasons else ""),
        f"counted  {summary.counted:,} = {summary.reported_rows:,} in reports"
        + "".join(f" + {rows:,} {where}" for rows, where in elsewhere if rows),
        f"windows  {summary.windows:,}: too thin to compare {summary.insufficient:,}, with an alarm {summary.alarms:,}",
        f"pages    {summary.pages:,}",
        ("balanced" if summary.balanced else "DOES NOT BALANCE: this is a fault of the replay, please report it")
        + ("" if summary.complete else "; interrupted, so not all was read"),
    ]


def comparison_text(comparison: ComparisonLine) -> list[str]:
    """Two judgements side by side."""
    asked, compared = comparison.asked, comparison.compared
    figures: list[list[object]] = [
        ["", asked.name, compared.name],
        ["windows", asked.windows, compared.windows],
        ["compared", asked.compared, compared.compared],
        ["with an alarm", asked.alarms, compared.alarms],
        ["pages", asked.pages, compared.pages],
        ["resolved", asked.resolves, compared.resolves],
    ]
    features: list[list[object]] = [[f.feature, f.asked, f.compared] for f in comparison.features[:_FEATURES]]
    lines = [*_aligned([*figures, *([["alarms of", "", ""]] if features else []), *features]), ""]
    lines.append(f"{len(comparison.differ):,} windows are judged otherwise" + (":" if comparison.differ else ""))
    lines += _aligned(
        [
            [
                f"{found.model}/{found.version}",
                found.window_start.isoformat(),
                _said(found.asked_alarms, found.asked_alerts),
                _said(found.compared_alarms, found.compared_alerts),
            ]
            for found in comparison.differ[:_DIFFERENCES]
        ]
    )
    if len(comparison.differ) > _DIFFERENCES:
        lines.append(f"... and {len(comparison.differ) - _DIFFERENCES:,} more: see the line of type comparison")
    return lines


def _said(alarms: Sequence[str], alerts: Sequence[str]) -> str:
    named = ", ".join(alarms[:3]) + (f", {len(alarms) - 3} more" if len(alarms) > 3 else "")
    return (named or "quiet") + "".join(f" {alert.upper()}" for alert in alerts)


def _aligned(rows: Sequence[Sequence[object]]) -> list[str]:
    cells = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    widths = [max((len(row[i]) for row in cells), default=0) for i in range(max(map(len, cells), default=0))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
