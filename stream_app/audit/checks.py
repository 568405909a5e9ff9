"""What must balance. Pure.

1. Every prediction that was answered (where a list is given) is on `predictions`.
2. By source partition: from the log's first record to stage 1's position nothing was passed over, and records read =
   counted + late + repeats + dead letters.
3. By model version: counted = rows of reports + late for stage 2 + rows of open windows.
4. The reports and the dead letters that the stored state tells of are on their topics, each report once.

What is on `predictions` and not read yet is said, and is no fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec

from contracts.times import moment
from stream_app.audit.difference import Difference, named
from stream_app.audit.found import Found
from stream_app.audit.reported import closed_on_topic, report_differences
from stream_app.windowing.accounts import Accounts, PartitionAccount, VersionBalance, accounts_of


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """The result. unread: records on `predictions` that stage 1 has not come to. differences: none when all is well.

    notes: what is no fault and good to know. recounted: records of `predictions` that were counted again; None when
    that was not asked for.
    """

    on_topic: int
    unread: int
    answered: int | None
    lost: tuple[str, ...]
    accounts: Accounts
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()
    recounted: int | None = None

    @property
    def balanced(self) -> bool:
        """Whether every line balances."""
        return not self.differences


def audited(found: Found) -> Audit:
    """Draw up the accounts and compare them with the topics."""
    accounts = accounts_of(found.metas, found.open_windows, found.versions, found.parts, found.closed)
    following = {meta.partition: meta.last_offset + 1 for meta in found.metas}
    unread = sum(
        max(0, log.end - following.get(number, log.start))
        for number, log in found.predictions.items()
        if number not in found.exhausted
    )
    return Audit(
        on_topic=sum(log.end - log.start for log in found.predictions.values()),
        unread=unread,
        answered=found.answered,
        lost=found.lost,
        accounts=accounts,
        differences=(
            *_lost(found),
            *(difference for account in accounts.partitions for difference in _partition(account)),
            *_log(found),
            *_ahead(found),
            *(_version(balance) for balance in accounts.versions if balance.missing),
            *(difference for record in found.versions for difference in report_differences(found, record)),
            *_dead_letters(found),
        ),
        notes=tuple(_notes(found)),
    )


def _lost(found: Found) -> Iterator[Difference]:
    if found.lost:
        some = ", ".join(found.lost[:3])
        yield Difference(
            kind="answered",
            words=f"{len(found.lost)} of {found.answered} answered predictions are not on the topic: {some}"
            + (" ..." if len(found.lost) > 3 else ""),
            rows=len(found.lost),
        )


def _partition(account: PartitionAccount) -> Iterator[Difference]:
    where = f"source partition {account.partition}, offsets {account.first_offset} to {account.last_offset}"
    place = partial(
        Difference,
        partition=account.partition,
        first_offset=account.first_offset,
        last_offset=account.last_offset,
    )
    if account.unread:
        what = f"{account.unread} were deleted before they were read, or lost"
        if account.unread < 0:
            what = f"{-account.unread} were read twice"
        words = (
            f"{where}: {account.offsets} passed, {account.read} records read, {account.absent} without a record; {what}"
        )
        yield place(kind="offsets", words=words, rows=abs(account.unread))
    if account.unexplained:
        words = f"{where}: {account.read} records read, {account.read - account.unexplained} accounted for"
        yield place(kind="records", words=words, rows=account.unexplained)


def _log(found: Found) -> Iterator[Difference]:
    for meta in found.metas:
        log, where = found.predictions.get(meta.partition), f"source partition {meta.partition}"
        if log is None:
            yield Difference(kind="offsets", words=f"{where} is not there any more", partition=meta.partition)
        elif meta.first_offset > log.start:
            first, last = log.start, meta.first_offset - 1
            words = f"{where}: offsets {first} to {last} were never read"
            yield Difference(
                kind="offsets", words=words, partition=meta.partition, first_offset=first, last_offset=last
            )
        elif meta.last_offset >= log.end:
            words = f"{where}: read to {meta.last_offset}, the log ends at {log.end - 1}: was the topic made anew?"
            yield Difference(
                kind="offsets",
                words=words,
                partition=meta.partition,
                first_offset=log.end,
                last_offset=meta.last_offset,
            )


def _ahead(found: Found) -> Iterator[Difference]:
    positions = {meta.partition: meta.last_offset for meta in found.metas}
    for part in found.open_windows:
        position = positions.get(part.partition, -1)
        if part.offset > position:
            words = (
                f"source partition {part.partition}: {named((part.model, part.version), part.window_start)} has "
                f"counted to offset {part.offset}, the position is {position}: a worker died between two writes, the "
                "next batch mends it"
            )
            yield Difference(
                kind="ahead",
                words=words,
                model=part.model,
                version=part.version,
                partition=part.partition,
                first_offset=position + 1,
                last_offset=part.offset,
                window_start=moment(part.window_start),
            )


def _version(balance: VersionBalance) -> Difference:
    what = f"{abs(balance.missing)} rows are {'missing' if balance.missing > 0 else 'there twice'}"
    words = (
        f"{balance.model}/{balance.version}: {what}: {balance.counted} counted, {balance.reported_rows} in reports, "
        f"{balance.late_rows} late for stage 2, {balance.open_rows} in open windows"
    )
    return Difference(
        kind="rows",
        words=words,
        model=balance.model,
        version=balance.version,
        rows=abs(balance.missing),
        too_many=balance.missing < 0,
    )


def _dead_letters(found: Found) -> Iterator[Difference]:
    for meta in found.metas:
        refused = sum(meta.refused.values())
        letters = sum(1 for offset in found.letters.refused.get(meta.partition, ()) if offset <= meta.last_offset)
        if found.refused_complete and letters < refused:
            words = (
                f"source partition {meta.partition}, offsets {meta.first_offset} to {meta.last_offset}: {refused} "
                f"records refused, {letters} are on dead-letters"
            )
            yield Difference(
                kind="dead-letters",
                words=words,
                partition=meta.partition,
                first_offset=meta.first_offset,
                last_offset=meta.last_offset,
                rows=refused - letters,
            )


def _notes(found: Found) -> Iterator[str]:
    for topic, number in sorted(found.unreadable.items()):
        records = "1 record is" if number == 1 else f"{number} records are"
        yield f"{topic}: {records} left out, a foreign hand's or a later version's: they cannot be read"
    if found.foreign_reports:
        yield f"{found.foreign_reports} reports on the topic are of another STREAM_APP_ID and are left out"
    for record in found.versions:
        version = record.model, record.version
        ahead = found.reports.get(version, {}).keys() - closed_on_topic(found, record).keys()
        if ahead:
            yield (
                f"{named(version, min(ahead))}: its report is on the topic and not in the state yet: a worker died "
                "between the two, it is sent again with the same id"
            )
