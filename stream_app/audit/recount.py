"""Recount: every record of `predictions` that stage 1 has read, counted again by window and source partition. Pure.

What a report counts of one source partition is known by its last offset there: events come to a window in the order of
their offsets, until its end has passed in that partition. So all of the window's events up to that offset must be in
the report, and all behind it must be late. Both are compared, and by source partition what was counted and late.

Repeats are recognised as stage 1 does; what is on dead-letters counts as refused. Where retention has deleted records
that were read, only too many can be seen, not too few.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from contracts.errors import InvalidEvent
from contracts.events import Envelope, decode_envelope, event_time_ms
from stream_app.audit.claims import Claim, claims_of
from stream_app.audit.difference import Difference, Version, moment, named, ranges
from stream_app.audit.found import Found
from stream_app.windowing.sequences import Sequences
from stream_app.windowing.state import PartitionMeta, VersionAccount
from stream_app.windowing.tumbling import WindowConfig, window_start
from stream_app.windowing.watermark import Watermark

_SHOWN = 5
"""Source partitions that a sentence names."""


class Tally(msgspec.Struct):
    """Events, and the offsets of the first and the last of them."""

    rows: int = 0
    first: int = -1
    last: int = -1

    def add(self, offset: int) -> None:
        """One more event; offsets rise."""
        self.rows, self.last = self.rows + 1, offset
        if self.first < 0:
            self.first = offset


class _Partition:
    """What was found in one source partition."""

    def __init__(self, lateness_ms: int) -> None:
        self.records = self.refused = 0
        self.unlettered: list[int] = []
        self.sequences, self.watermark = Sequences(), Watermark(lateness_ms)
        self.events: defaultdict[Version, Tally] = defaultdict(Tally)
        self.repeats: defaultdict[Version, Tally] = defaultdict(Tally)


class Recount:
    """Give it the records with add(), of each partition in the order of their offsets; then ask for the differences."""

    def __init__(self, found: Found, windows: WindowConfig) -> None:
        self._found, self._windows = found, windows
        self._metas = {meta.partition: meta for meta in found.metas}
        self._claims = claims_of(found)
        self._seen: dict[int, _Partition] = {number: _Partition(windows.lateness_ms) for number in self._metas}
        # By (model, version, start of the window) and source partition: up to the last offset of the report, behind it,
        # and of the latter those that no earlier event's time makes late.
        self._within: defaultdict[tuple[Version, int], dict[int, Tally]] = defaultdict(dict)
        self._behind: defaultdict[tuple[Version, int], dict[int, Tally]] = defaultdict(dict)
        self._in_time: defaultdict[tuple[Version, int], dict[int, Tally]] = defaultdict(dict)

    @property
    def records(self) -> int:
        """Records counted again so far."""
        return sum(seen.records for seen in self._seen.values())

    def add(self, partition: int, records: Iterable[tuple[int, bytes | None]]) -> None:
        """Offsets and values of records. What stage 1 has not read is passed over."""
        meta = self._metas.get(partition)
        if meta is None:
            return
        seen, refused = self._seen[partition], self._found.refused.get(partition, frozenset())
        events: list[tuple[int, Envelope]] = []
        for offset, value in records:
            if not meta.first_offset <= offset <= meta.last_offset:
                continue
            seen.records += 1
            if offset in refused:
                seen.refused += 1
                continue
            try:
                events.append((offset, decode_envelope(value or b"")))
            except InvalidEvent:
                seen.unlettered.append(offset)
        repeated = set(seen.sequences.repeated([event.id for _, event in events]))
        for position, (offset, event) in enumerate(events):
            version = event.model, event.model_version
            if position in repeated:
                seen.repeats[version].add(offset)
            else:
                seen.events[version].add(offset)
                self._place(partition, version, offset, event_time_ms(event), seen.watermark)

    def _place(self, partition: int, version: Version, offset: int, time_ms: int, watermark: Watermark) -> None:
        start = window_start(time_ms, self._windows.size_ms)
        key, late = (version, start), watermark.passed(start + self._windows.size_ms)
        if not late:
            watermark.observe(time_ms)
        claim = self._claims.get(key)
        if claim is not None and claim.holds(partition, offset):
            self._within[key].setdefault(partition, Tally()).add(offset)
            return
        self._behind[key].setdefault(partition, Tally()).add(offset)
        if not late:
            self._in_time[key].setdefault(partition, Tally()).add(offset)

    def differences(self) -> Iterator[Difference]:
        """Where the accounts differ from the records, the most precise place first."""
        for number, meta in sorted(self._metas.items()):
            yield from self._partition(meta, self._seen[number])
        if not self._other_sizes:
            for key, claim in sorted(self._claims.items()):
                yield from self._window(key, claim)
            yield from self._late()

    def notes(self) -> Iterator[str]:
        """What could not be recounted."""
        if sizes := self._other_sizes:
            words = ", ".join(f"{size / 1000:g} s" for size in sorted(sizes))
            yield f"there are windows of {words}: with windows of several lengths only source partitions are recounted"
        for number, meta in sorted(self._metas.items()):
            if not self._complete(number):
                start = self._found.predictions[number].start if number in self._found.predictions else 0
                yield (
                    f"source partition {number}: offsets {meta.first_offset} to {start - 1} are deleted, so only rows "
                    "that are missing in the accounts can be seen"
                )

    @property
    def _other_sizes(self) -> set[int]:
        """Lengths of windows that are not the present one: their events belong to windows that are not recounted."""
        found = self._found
        lengths = {
            reported.window_end - start for windows in found.reports.values() for start, reported in windows.items()
        }
        lengths |= {part.window_end - part.window_start for part in (*found.open_windows, *found.parts)}
        return lengths - {self._windows.size_ms}

    def _complete(self, number: int) -> bool:
        log = self._found.predictions.get(number)
        return log is not None and log.start <= self._metas[number].first_offset

    def _partition(self, meta: PartitionMeta, seen: _Partition) -> Iterator[Difference]:
        number, complete = meta.partition, self._complete(meta.partition)
        first, last = meta.first_offset, meta.last_offset
        where = f"source partition {number}, offsets {first} to {last}"
        if differs(meta.read, seen.records, complete):
            words = f"{where}: {meta.read} records read, {seen.records} are on the log"
            rows = abs(meta.read - seen.records)
            yield Difference(
                kind="records", words=words, partition=number, first_offset=first, last_offset=last, rows=rows
            )
        if seen.unlettered and self._found.refused_complete:
            words = (
                f"source partition {number}: offsets {ranges(seen.unlettered)} cannot be counted and are not on "
                "dead-letters"
            )
            yield Difference(
                kind="dead-letters",
                words=words,
                partition=number,
                first_offset=seen.unlettered[0],
                last_offset=seen.unlettered[-1],
                rows=len(seen.unlettered),
            )
        for version in sorted(meta.accounts.keys() | seen.events.keys() | seen.repeats.keys()):
            account = meta.accounts.get(version, VersionAccount())
            events, repeats = seen.events[version], seen.repeats[version]
            booked = account.counted + account.late
            if differs(booked, events.rows, complete) or differs(account.repeats, repeats.rows, complete):
                words = (
                    f"source partition {number}, {named(version)}: {account.counted} counted, {account.late} late, "
                    f"{account.repeats} repeats; recounted {events.rows} events, {repeats.rows} repeats"
                    + (f" in offsets {events.first} to {events.last}" if events.rows else "")
                )
                yield Difference(
                    kind="records",
                    words=words,
                    model=version[0],
                    version=version[1],
                    partition=number,
                    first_offset=events.first,
                    last_offset=events.last,
                    rows=abs(booked - events.rows),
                )

    def _window(self, key: tuple[Version, int], claim: Claim) -> Iterator[Difference]:
        """The window's rows; and which source partitions they differ in, where that is remembered."""
        (version, start), found = key, self._within.get(key, {})
        rows = sum(tally.rows for tally in found.values())
        complete = all(self._complete(number) for number in claim.last_offsets if number in self._metas)
        known = {number: found.get(number, Tally()).rows for number in claim.by_partition}
        wrong = [number for number, count in known.items() if differs(claim.by_partition[number], count, complete)]
        if not wrong and not differs(claim.rows, rows, complete):
            return
        suspects = wrong or ([] if known else sorted(found))
        one = found.get(suspects[0]) if len(suspects) == 1 else None
        yield Difference(
            kind="window",
            words=f"{named(version, start)}: {claim.rows} rows {claim.where}, {rows} recounted from predictions; "
            + (_places(suspects, claim, found) or "what was merged agrees with them in every source partition"),
            model=version[0],
            version=version[1],
            partition=suspects[0] if len(suspects) == 1 else None,
            first_offset=None if one is None else one.first,
            last_offset=None if one is None else one.last,
            window_start=moment(start),
            rows=abs(claim.rows - rows),
        )

    def _late(self) -> Iterator[Difference]:
        """Events behind what their window's report counts must be late, in stage 1 or in stage 2."""
        late: defaultdict[Version, int] = defaultdict(int)
        for meta in self._metas.values():
            for version, account in meta.accounts.items():
                late[version] += account.late
        for record in self._found.versions:
            late[record.model, record.version] += record.late_rows
        for (version, _), claim in self._claims.items():
            late[version] += claim.left_rows
        complete = all(self._complete(number) for number in self._metas)
        for version in sorted({version for version, _ in self._behind} | set(late)):
            behind = _of(self._behind, version)
            rows = sum(tally.rows for *_, tally in behind)
            if not differs(late[version], rows, complete):
                continue
            suspects = _of(self._in_time, version) or behind
            start, number, tally = suspects[0] if suspects else (None, None, Tally())
            words = f"{named(version)}: {rows} events came behind what their windows count, {late[version]} are late"
            if start is not None:
                words += (
                    f"; first {named(version, start)}, partition {number}: {tally.rows} in offsets {tally.first} to "
                    f"{tally.last}"
                )
            yield Difference(
                kind="rows",
                words=words,
                model=version[0],
                version=version[1],
                partition=number,
                first_offset=tally.first if start is not None else None,
                last_offset=tally.last if start is not None else None,
                window_start=None if start is None else moment(start),
                rows=abs(rows - late[version]),
            )


def _places(suspects: Sequence[int], claim: Claim, found: Mapping[int, Tally]) -> str:
    words = []
    for number in suspects[:_SHOWN]:
        tally = found.get(number, Tally())
        counted = f"{claim.by_partition[number]} counted, " if number in claim.by_partition else ""
        offsets = f" in offsets {tally.first} to {tally.last}" if tally.rows else ""
        words.append(f"partition {number}: {counted}{tally.rows} recounted{offsets}")
    more = f" and {len(suspects) - _SHOWN} more" if len(suspects) > _SHOWN else ""
    return "; ".join(words) + more


def differs(booked: int, recounted: int, complete: bool) -> bool:
    """Whether that is a fault; too few recounted is none where records have been deleted."""
    return booked != recounted if complete else recounted > booked


def _of(tallies: Mapping[tuple[Version, int], Mapping[int, Tally]], wanted: Version) -> list[tuple[int, int, Tally]]:
    """(start, source partition, tally) of one model version, in that order."""
    return sorted(
        (
            (start, number, tally)
            for (version, start), parts in tallies.items()
            if version == wanted
            for number, tally in parts.items()
        ),
        key=lambda found: found[:2],
    )
