"""A rolling upgrade: what version N + 1 has stored is counted on by this one, N, and taken back by N + 1.

state     N + 1 writes: fields that N does not know, in every record | N restores, counts on | N + 1 restores, counts on
counts    are those of one that was never interrupted; of N + 1's own fields are left those of records that N kept

N + 1 is made up: its records are those of today with one field more. See docs/decisions/0007.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from contracts.partials import Heartbeat, PartialAggregate, encode_partial
from stream_app.windowing.accumulator import Partition
from stream_app.windowing.merged_state import ClosedKey, PartKey, VersionKey, age_of_merged, parse_merged_key
from stream_app.windowing.merger import Merger, MergerConfig, Records
from stream_app.windowing.state import MetaKey, age_of, parse_key
from stream_app.windowing.tumbling import WindowConfig
from tests.unit.stream_app.windowing.stand import FIRST, SECOND, SIZE, a_partial, by_digest, events_at, folded, read

CONFIG, MERGING = WindowConfig(SIZE, 50), MergerConfig(minimum_rows=1)
Table = Mapping[bytes, bytes]


def as_next(value: bytes) -> bytes:
    """A record as N + 1 writes it: with a field that this version does not know, wherever there may be one."""
    fields: dict[str, Any] = msgspec.msgpack.decode(value)
    for account in fields.get("accounts", {}).values():
        account["added"] = 9
    for counts in [fields["score"], *fields["features"]] if "score" in fields else []:
        counts.append(9)  # known by its place
    return msgspec.msgpack.encode({**fields, "added": 9})


def plain(table: Table) -> dict[bytes, bytes]:
    """Without what N + 1 has added."""
    found = {}
    for key, value in table.items():
        fields = msgspec.msgpack.decode(value)
        if fields.pop("added", None) is not None:
            for account in fields.get("accounts", {}).values():
                del account["added"]
            for counts in [fields["score"], *fields["features"]] if "score" in fields else []:
                counts.pop()
        found[key] = msgspec.msgpack.encode(fields)
    return found


def kept(value: bytes) -> bool:
    """Whether the record has N + 1's field still."""
    return "added" in msgspec.msgpack.decode(value)


def next_written(table: Table) -> dict[bytes, bytes]:
    return {key: as_next(value) for key, value in table.items()}


def test_stage_1_counts_on_from_the_next_versions_records_and_the_next_one_from_what_it_leaves() -> None:
    #   [0 ----)[100 ---)[200 --    N + 1: version 1 in both, version 2 in the first; N: version 1 in the second
    first = [*events_at(10, 20, 110), *events_at(30, first=3, baseline=SECOND)]
    second, third = events_at(120, 60, 130, first=4), events_at(125, 290, first=7)

    undisturbed = Partition(0, CONFIG)
    written = [*undisturbed.stored(read(undisturbed, first).keys)]
    table = next_written(folded(written))
    assert all(kept(value) for value in table.values())
    assert {key: age_of(key, value) for key, value in table.items()} == {
        key: age_of(key, value) for key, value in folded(written).items()
    }

    this = Partition.restore(0, CONFIG, table.items(), by_digest())
    touched = read(this, second)
    assert (touched.counted, touched.late) == (3, 0)
    table = dict(folded([*table.items(), *this.stored(touched.keys)]))
    written += undisturbed.stored(read(undisturbed, second).keys)
    assert plain(table) == folded(written)
    # what it writes is what it knows: its meta record, and the windows that it counts on
    names = [(parsed, kept(value)) for parsed, value in ((parse_key(key), value) for key, value in table.items())]
    assert {parsed[2:]: still for parsed, still in names if not isinstance(parsed, MetaKey)} == {
        ("1", 0): False,
        ("1", 100): False,
        ("2", 0): True,
    }
    assert [still for parsed, still in names if isinstance(parsed, MetaKey)] == [False]

    again = Partition.restore(0, CONFIG, table.items(), by_digest())
    written += undisturbed.stored(read(undisturbed, third).keys)
    table = dict(folded([*table.items(), *again.stored(read(again, third).keys)]))
    assert plain(table) == folded(written)
    assert again.due() == undisturbed.due()
    assert [part.rows for part in again.due()] == [3, 1, 4]


def test_a_window_of_the_next_version_that_stage_1_sends_has_nothing_of_what_that_one_added() -> None:
    partition = Partition(0, CONFIG)
    table = next_written(folded(partition.stored(read(partition, events_at(10, 120)).keys)))
    this = Partition.restore(0, CONFIG, table.items(), by_digest())
    this.idle(1 << 40)
    assert [kept(encode_partial(part)) for part in this.due()] == [False, False]


class Merging:
    """Stage 2 of one version of the code after another, with its changelog. later: whether it is N + 1 that runs."""

    def __init__(self) -> None:
        self.table: dict[bytes, bytes] = {}
        self.merger, self.offset, self.later = Merger(0, MERGING, by_digest()), 0, False

    def restart(self, *, later: bool) -> None:
        self.merger, self.later = Merger.restore(0, MERGING, self.table.items(), by_digest()), later
        self._write(self.merger.unwritten())

    def take(self, *parts: PartialAggregate, sent_by_next: bool = False) -> None:
        for part in parts:
            value = as_next(encode_partial(part)) if sent_by_next else encode_partial(part)
            self._write(self.merger.on_partial(part, self.offset, value), as_sent=True)
            self.offset += 1

    def reach(self, watermark: int) -> list[int]:
        """Both source partitions have passed it; rows of what is closed."""
        for number in range(2):
            self.merger.on_heartbeat(Heartbeat(partition=number, partitions=2, generation=1, watermark=watermark))
        rows = []
        for closing in self.merger.due():
            self._write(self.merger.announce(closing))
            self._write(self.merger.close(closing, b"policy"))
            rows.append(closing.rows)
        return rows

    def _write(self, records: Records, *, as_sent: bool = False) -> None:
        """as_sent: a part is stored as it came."""
        for key, value in records:
            if value is None:
                self.table.pop(key, None)
            else:
                made = self.later and not (as_sent and isinstance(parse_merged_key(key), PartKey))
                self.table[key] = as_next(value) if made else value

    def ages(self) -> dict[bytes, tuple[int, int]]:
        """By which a recovery chooses between two values."""
        return {key: age_of_merged(key, value) for key, value in self.table.items()}

    def kept(self) -> dict[str, bool]:
        """Which records have N + 1's field still, by kind and start."""
        found = {}
        for key, value in self.table.items():
            parsed = parse_merged_key(key)
            start = "" if isinstance(parsed, VersionKey) else f" {parsed.window_start}"
            kind = {VersionKey: "version", ClosedKey: "closed", PartKey: "part"}[type(parsed)]
            found[kind + start] = kept(value)
        return found


def test_stage_2_merges_on_from_the_next_versions_records_and_the_next_one_from_what_it_leaves() -> None:
    #   [0 ----)[100 ---)[200 --)    N + 1 closes the first, has a part of the second | N closes that | N + 1 the third
    alone, changing = Merging(), Merging()
    changing.later = True
    for stage in (alone, changing):
        by = stage is changing
        stage.take(a_partial(0, 2), a_partial(0, 3, partition=1), a_partial(100, 4), sent_by_next=by)
        assert stage.reach(100) == [5]
    assert changing.kept() == {"version": True, "closed 0": True, "part 100": True}
    assert changing.ages() == alone.ages()

    changing.restart(later=False)
    for stage in (alone, changing):
        by = stage is changing
        stage.take(a_partial(0, 3, partition=1))  # a repeat: nothing is late
        stage.take(a_partial(0, 4, offset=12))  # two rows too late
        stage.take(a_partial(100, 1, partition=1))
        assert stage.reach(200) == [5]
        stage.take(a_partial(200, 6), sent_by_next=by)  # of a stage 1 that is upgraded
        assert stage.merger.version(FIRST.model, "1").late_rows == 2
    assert plain(changing.table) == alone.table
    # what it writes is what it knows; what waits and what was closed before stay as they came
    assert changing.kept() == {"version": False, "closed 0": True, "closed 100": False, "part 200": True}

    changing.restart(later=True)
    for stage in (alone, changing):
        stage.take(a_partial(0, 4, offset=12), a_partial(200, 1, partition=1))
        assert stage.reach(300) == [7]
    assert plain(changing.table) == alone.table
    assert changing.merger.version(FIRST.model, "1") == alone.merger.version(FIRST.model, "1")
    assert changing.merger.version(FIRST.model, "1").policy == b"policy"
