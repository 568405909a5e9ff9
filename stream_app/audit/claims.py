"""Claims: how many rows each window has by its report or by what waits for it, and up to which offsets. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from stream_app.audit.found import Found
from stream_app.windowing.merged_state import VersionRecord, rows_closed
from stream_app.windowing.typed import Version


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of one window of one model version.

    rows: in all. last_offsets: source partition -> last offset included. by_partition: its rows by source partition,
    as far as they are remembered. left_rows: rows of a closed window that stage 1 has not told stage 2 yet. where: in
    words.
    """

    rows: int = 0
    last_offsets: Mapping[int, int] = {}
    by_partition: Mapping[int, int] = {}
    left_rows: int = 0
    where: str = "counted"

    def holds(self, partition: int, offset: int) -> bool:
        """Whether an event of the window at this offset must be among the rows."""
        return offset <= self.last_offsets.get(partition, -1)


def claims_of(found: Found) -> dict[tuple[Version, int], Claim]:
    """By model version and start of the window."""
    records = {(record.model, record.version): record for record in found.versions}
    claims = {
        (version, start): Claim(
            rows=reported.rows,
            last_offsets=reported.partitions,
            by_partition=window.rows if (window := found.closed.get((*version, start))) is not None else {},
            where="in its report",
        )
        for version, windows in found.reports.items()
        for start, reported in windows.items()
        if _closed(records.get(version), start)
    }
    waiting: dict[tuple[Version, int], dict[int, tuple[int, int]]] = {}
    left: dict[tuple[Version, int], int] = {}
    for stage, parts in ((1, found.open_windows), (2, found.parts)):
        for part in parts:
            version, start = (part.model, part.version), part.window_start
            record = records.get(version)
            if record is None or not _closed(record, start):
                mine = waiting.setdefault((version, start), {})
                known_offset, known_rows = mine.get(part.partition, (-1, 0))
                if part.offset > known_offset and part.rows >= known_rows:  # as stage 2 takes them
                    mine[part.partition] = part.offset, part.rows
            elif stage == 1:
                known = rows_closed(record, found.closed.get((*version, start)), part)
                left[version, start] = left.get((version, start), 0) + max(0, part.rows - known)
    for key, open_parts in waiting.items():
        rows = {number: count for number, (_, count) in open_parts.items()}
        claims[key] = Claim(
            rows=sum(rows.values()),
            last_offsets={number: offset for number, (offset, _) in open_parts.items()},
            by_partition=rows,
            where="in open windows",
        )
    for key, count in left.items():
        claims[key] = msgspec.structs.replace(claims.get(key, Claim()), left_rows=count)
    return claims


def _closed(record: VersionRecord | None, start: int) -> bool:
    return record is not None and record.horizon is not None and start <= record.horizon
