"""A small installation, by the core itself: two source partitions, two model versions, windows of 100 ms.

partition 0   flights/1   10  20  130  30(late)  140  repeat of 140      flights/2   150
partition 1   flights/1   15  { (malformed)  120  125  230
windows       [0, 100) closed with 3 rows, [100, 200) closed with 4 (and 1 of flights/2), [200, 300) open with 1
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from stream_app.audit.found import Found, Log, Reported
from stream_app.audit.letters import Letters
from stream_app.windowing.accumulator import Partition
from stream_app.windowing.merged_state import merged_of
from stream_app.windowing.merger import Merger, MergerConfig
from stream_app.windowing.state import MetaKey, PartitionMeta, WindowKey, decode_meta, decode_part, parse_key
from stream_app.windowing.tumbling import WindowConfig
from tests.unit.stream_app.windowing.stand import FIRST, SECOND, SIZE, a_record, a_value, by_digest, read

WINDOWS = WindowConfig(SIZE)
BROKEN = b"{"
VALUES: Mapping[int, tuple[bytes, ...]] = {
    0: (
        a_value(10, sequence=1),
        a_value(20, sequence=2),
        a_value(130, sequence=3),
        a_value(30, sequence=4),
        a_value(140, sequence=5),
        a_value(140, sequence=5),
        a_value(150, sequence=6, baseline=SECOND),
    ),
    1: (
        a_value(15, id="a"),
        BROKEN,
        a_value(120, id="b"),
        a_value(125, id="c"),
        a_value(230, id="d"),
    ),
}
POISON = 1
"""Offset in partition 1."""


def an_installation(values: Mapping[int, Sequence[bytes]] = VALUES, windows: WindowConfig = WINDOWS) -> Found:
    """Counted, merged, closed as far as time is in all partitions, and reported; everything balances.

    values: the logs by source partition. In the first of them the clock goes on to 200.
    """
    merger, offset = Merger(0, MergerConfig(minimum_rows=1), by_digest()), 0
    metas: list[PartitionMeta] = []
    stored: dict[bytes, bytes] = {}
    open_windows = []
    for number, log in values.items():
        partition = Partition(number, windows)
        touched = read(partition, [a_record(i, value, partition=number) for i, value in enumerate(log)], FIRST, SECOND)
        waiting = set(touched.keys)
        if number == 0:
            partition.idle(200 + windows.lateness_ms)
        for partial in partition.due():
            offset += 1
            stored |= {key: value or b"" for key, value in merger.on_partial(partial, offset)}
            waiting.discard(WindowKey(number, partial.model, partial.version, partial.window_start))
            partition.acknowledged(partial)
        merger.on_heartbeat(partition.heartbeat(1, len(values), silent=True))
        for key, value in partition.stored(sorted(waiting)):
            if isinstance(parse_key(key), MetaKey):
                metas.append(decode_meta(value))
            else:
                open_windows.append(decode_part(value))
    reports: dict[tuple[str, str], dict[int, Reported]] = {}
    for closing in merger.due():
        reports.setdefault((closing.model, closing.version), {})[closing.window_start] = Reported(
            window_end=closing.window_end, rows=closing.rows, partitions=closing.partitions
        )
        for changed, new in merger.close(closing):
            if new is None:
                stored.pop(changed, None)
            else:
                stored[changed] = new
    merged = merged_of(stored.items())
    return Found(
        predictions={number: Log(0, len(log)) for number, log in values.items()},
        metas=tuple(metas),
        open_windows=tuple(open_windows),
        versions=merged.versions,
        parts=merged.parts,
        closed=merged.closed,
        reports=reports,
        reports_complete=True,
        letters=Letters(
            {
                number: frozenset(offset for offset, value in enumerate(log) if value == BROKEN)
                for number, log in values.items()
            }
        ),
        refused_complete=True,
    )


def with_account(found: Found, number: int, version: tuple[str, str], **change: int) -> Found:
    """Doctored: another account of one version in one source partition."""
    return replace(
        found,
        metas=tuple(
            meta
            if meta.partition != number
            else replace(meta, accounts={**meta.accounts, version: replace(meta.accounts[version], **change)})
            for meta in found.metas
        ),
    )
