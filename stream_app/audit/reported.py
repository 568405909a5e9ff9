"""The windows that stage 2 has closed, against the reports on the topic. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.times import moment
from stream_app.audit.difference import Difference, named
from stream_app.audit.found import Found, Reported
from stream_app.windowing.merged_state import VersionRecord
from stream_app.windowing.typed import Version

_SHOWN = 8
"""Source partitions that a sentence names."""


def report_differences(found: Found, record: VersionRecord) -> Iterator[Difference]:
    """The windows that differ, one by one; and those that nobody remembers one by one any more, together."""
    version = record.model, record.version
    on_topic = closed_on_topic(found, record)
    number, rows = record.reports - len(on_topic), record.reported_rows - sum(r.rows for r in on_topic.values())
    for start, reported in sorted(on_topic.items()):
        if reported.other_rows:
            others = ", ".join(map(str, reported.other_rows))
            yield _window(version, start, f"was reported with {reported.rows} rows, and with {others} before", None)
    closed = {start: window for (*name, start), window in found.closed.items() if tuple(name) == version}
    for start, window in sorted(closed.items()):
        merged, told = sum(window.rows.values()), on_topic.get(start)
        if record.horizon is None or start > record.horizon:
            continue
        if told is None and found.reports_complete:
            number, rows = number - 1, rows - merged
            yield _window(version, start, f"was closed with {merged} rows, its report is not on the topic", merged)
        elif told is not None and told.rows != merged:
            rows -= merged - told.rows
            words = f"{merged} rows were merged, by source partition {_parts(window.rows)}; its report has {told.rows}"
            yield _window(version, start, words, abs(merged - told.rows))
    if found.reports_complete and (number, rows) != (0, 0):
        yield Difference(
            kind="reports",
            words=f"{named(version)}: {record.reports} windows closed with {record.reported_rows} rows, on the topic "
            f"are {len(on_topic)} reports with {sum(r.rows for r in on_topic.values())} rows; which windows differ is "
            "not remembered any more",
            model=record.model,
            version=record.version,
            rows=abs(rows),
        )


def closed_on_topic(found: Found, record: VersionRecord) -> dict[int, Reported]:
    """Reports of windows that are closed in the stored state; one behind the horizon is sent again."""
    reports = found.reports.get((record.model, record.version), {})
    return {start: r for start, r in reports.items() if record.horizon is not None and start <= record.horizon}


def _window(version: Version, start: int, words: str, rows: int | None) -> Difference:
    return Difference(
        kind="reports",
        words=f"{named(version, start)}: {words}",
        model=version[0],
        version=version[1],
        window_start=moment(start),
        rows=rows,
    )


def _parts(rows: dict[int, int]) -> str:
    shown = [f"{partition} ({count})" for partition, count in sorted(rows.items())[:_SHOWN]]
    return ", ".join(shown) + (f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else "")
