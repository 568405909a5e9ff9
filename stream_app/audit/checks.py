"""What must balance. Pure.

1. Every prediction that was answered (where a list is given) is on `predictions`.
2. By source partition: from the log's first record to stage 1's position nothing was passed over, and records read =
   counted + late + repeats + dead letters.
3. By model version: counted = rows of reports + late for stage 2 + rows of open windows.
4. The reports and the dead letters that the stored state tells of are on their topics.

What is on `predictions` and not read yet is said, and is no fault.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from contracts.partials import PartialAggregate
from stream_app.windowing.accounts import Accounts, ClosedWindows, accounts_of
from stream_app.windowing.merged_state import VersionRecord
from stream_app.windowing.state import PartitionMeta

Version = tuple[str, str]


class Log(msgspec.Struct, frozen=True):
    """The offsets that a partition holds: from start to before end."""

    start: int
    end: int


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What is on the topics. Of reports and dead letters each counts once, however often it was sent.

    predictions: the log of each partition. metas, open_windows: the state of stage 1; versions, parts,
    closed: of stage 2.
    reports: by model version, (number, rows); complete: nothing was deleted from that topic yet. refused: dead letters
    by source partition; refused_complete: likewise. answered: ids asked for; lost: those not on `predictions`.
    """

    predictions: Mapping[int, Log]
    metas: tuple[PartitionMeta, ...]
    open_windows: tuple[PartialAggregate, ...]
    versions: tuple[VersionRecord, ...]
    parts: tuple[PartialAggregate, ...]
    closed: ClosedWindows = {}
    reports: Mapping[Version, tuple[int, int]]
    reports_complete: bool
    refused: Mapping[int, frozenset[int]]
    refused_complete: bool
    answered: int | None = None
    lost: tuple[str, ...] = ()


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """The result. unread: records on `predictions` that stage 1 has not come to. differences: none when all is well."""

    on_topic: int
    unread: int
    answered: int | None
    lost: tuple[str, ...]
    accounts: Accounts
    differences: tuple[str, ...]

    @property
    def balanced(self) -> bool:
        """Whether every line balances."""
        return not self.differences


def audited(found: Found) -> Audit:
    """Draw up the accounts and compare them with the topics."""
    accounts = accounts_of(found.metas, found.open_windows, found.versions, found.parts, found.closed)
    following = {meta.partition: meta.last_offset + 1 for meta in found.metas}
    unread = sum(max(0, log.end - following.get(number, log.start)) for number, log in found.predictions.items())
    lost = [f"{len(found.lost)} of {found.answered} answered predictions are not on the topic"] if found.lost else []
    return Audit(
        on_topic=sum(log.end - log.start for log in found.predictions.values()),
        unread=unread,
        answered=found.answered,
        lost=found.lost,
        accounts=accounts,
        differences=(*lost, *accounts.differences, *_never_read(found), *_reports(found), *_dead_letters(found)),
    )


def _never_read(found: Found) -> Iterator[str]:
    for meta in found.metas:
        log = found.predictions.get(meta.partition)
        if log is None:
            yield f"source partition {meta.partition} is not there any more"
        elif meta.first_offset > log.start:
            yield f"source partition {meta.partition}: offsets {log.start} to {meta.first_offset - 1} were never read"
        elif meta.last_offset >= log.end:
            yield f"source partition {meta.partition}: read to {meta.last_offset}, the log ends at {log.end - 1}"


def _reports(found: Found) -> Iterator[str]:
    for record in found.versions:
        number, rows = found.reports.get((record.model, record.version), (0, 0))
        if found.reports_complete and (number, rows) != (record.reports, record.reported_rows):
            yield (
                f"{record.model}/{record.version}: {record.reports} windows closed with {record.reported_rows} rows, "
                f"on the topic are {number} reports with {rows} rows"
            )


def _dead_letters(found: Found) -> Iterator[str]:
    for meta in found.metas:
        refused = sum(meta.refused.values())
        letters = sum(1 for offset in found.refused.get(meta.partition, ()) if offset <= meta.last_offset)
        if found.refused_complete and letters < refused:
            yield f"source partition {meta.partition}: {refused} records refused, {letters} are on dead-letters"


def counted_reports(reports: Iterable[tuple[str, Version, int]]) -> dict[Version, tuple[int, int]]:
    """Reports as (id, model version, rows), repeats among them: number and rows of the distinct ones by version."""
    once = {id_: (version, rows) for id_, version, rows in reports}
    number = Counter(version for version, _ in once.values())
    rows: Counter[Version] = Counter()
    for version, more in once.values():
        rows[version] += more
    return {version: (count, rows[version]) for version, count in number.items()}
