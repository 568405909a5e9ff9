"""Where the accounts and the windows differ from the recount. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from contracts.times import moment
from stream_app.audit.claims import Claim
from stream_app.audit.difference import Difference, named, ranges
from stream_app.audit.recount import Recount, SeenPartition, Tally
from stream_app.windowing.state import PartitionMeta, VersionAccount
from stream_app.windowing.typed import Version

_SHOWN = 5
"""Source partitions that a sentence names."""


def differences(recount: Recount) -> Iterator[Difference]:
    """Where the accounts differ from the records, the most precise place first."""
    for number, meta in sorted(recount.metas.items()):
        yield from _partition(recount, meta, recount.seen[number])
    if not recount.other_sizes:
        for key, claim in sorted(recount.claims.items()):
            yield from _window(recount, key, claim)
        yield from _late(recount)


def _partition(recount: Recount, meta: PartitionMeta, seen: SeenPartition) -> Iterator[Difference]:
    number, complete = meta.partition, recount.complete(meta.partition)
    first, last = meta.first_offset, meta.last_offset
    where = f"source partition {number}, offsets {first} to {last}"
    if differs(meta.read, seen.records, complete):
        words = f"{where}: {meta.read} records read, {seen.records} are on the log"
        rows = abs(meta.read - seen.records)
        yield Difference(kind="records", words=words, partition=number, first_offset=first, last_offset=last, rows=rows)
    if seen.unlettered and recount.found.refused_complete:
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


def _window(recount: Recount, key: tuple[Version, int], claim: Claim) -> Iterator[Difference]:
    """The window's rows; and which source partitions they differ in, where that is remembered."""
    (version, start), found = key, recount.within.get(key, {})
    rows = sum(tally.rows for tally in found.values())
    complete = all(recount.complete(number) for number in claim.last_offsets if number in recount.metas)
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


def _late(recount: Recount) -> Iterator[Difference]:
    """Events behind what their window's report counts must be late, in stage 1 or in stage 2."""
    late: defaultdict[Version, int] = defaultdict(int)
    for meta in recount.metas.values():
        for version, account in meta.accounts.items():
            late[version] += account.late
    for record in recount.found.versions:
        late[record.model, record.version] += record.late_rows
    for (version, _), claim in recount.claims.items():
        late[version] += claim.left_rows
    complete = all(recount.complete(number) for number in recount.metas)
    for version in sorted({version for version, _ in recount.behind} | set(late)):
        behind = _of(recount.behind, version)
        rows = sum(tally.rows for *_, tally in behind)
        if not differs(late[version], rows, complete):
            continue
        suspects = _of(recount.in_time, version) or behind
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


def notes(recount: Recount) -> Iterator[str]:
    """What could not be recounted, and what was counted although a letter says that it was refused."""
    if sizes := recount.other_sizes:
        words = ", ".join(f"{size / 1000:g} s" for size in sorted(sizes))
        yield f"there are windows of {words}: with windows of several lengths only source partitions are recounted"
    for number, meta in sorted(recount.metas.items()):
        if after_all := recount.after_all[number]:
            yield (
                f"source partition {number}: offsets {ranges(sorted(after_all))} are on dead-letters (unknown-version) "
                "and were counted after all: a worker died behind them, and the baseline came before it was back"
            )
        if not recount.complete(number):
            start = recount.found.predictions[number].start if number in recount.found.predictions else 0
            yield (
                f"source partition {number}: offsets {meta.first_offset} to {start - 1} are deleted, so only rows "
                "that are missing in the accounts can be seen"
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
