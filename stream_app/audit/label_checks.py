"""What must balance where labels are counted. Pure.

1. By partition of `labels`: from the log's first record to the position nothing was passed over, and records read =
   counted + replaced + repeated + late + dead letters.
2. By model version: counted + replaced = those of final windows + late for final windows + those of open windows.
3. The final windows that the stored state tells of are on `performance`, with as many labels, and each window's highest
   revision says what its number is made of; dead letters are on their topic.

What is on `labels` and not read yet is said, and is no fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from contracts.label_partials import LabelPartial
from contracts.times import moment
from stream_app.audit.difference import Difference, named
from stream_app.audit.found import Log
from stream_app.audit.revisions import Revisions
from stream_app.labelling.revised_state import LabelVersion
from stream_app.labelling.state import LabelMeta
from stream_app.windowing.typed import Version

Windows = Mapping[tuple[str, str, int, int], int]
"""Labels (labelled and replaced) by model, version, start and source partition."""


class LabelsFound(msgspec.Struct, frozen=True, kw_only=True):
    """What is on the topics. labels: the log of each partition; exhausted: those with no record behind the position.
    metas, open_windows: the state of stage 1; versions, parts: of stage 2. reports: of this installation;
    reports_complete: nothing was deleted from that topic yet. refused: offsets of labels with a dead letter, by
    partition; refused_complete: likewise.
    """

    labels: Mapping[int, Log]
    exhausted: frozenset[int] = frozenset()
    metas: tuple[LabelMeta, ...]
    open_windows: Windows
    versions: tuple[LabelVersion, ...]
    parts: tuple[LabelPartial, ...]
    reports: Revisions
    reports_complete: bool
    refused: Mapping[int, frozenset[int]]
    refused_complete: bool


class LabelsAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the records of one partition of `labels`; see windowing.accounts.PartitionAccount.

    replaced: said another truth than the label before; repeated: the same.
    """

    partition: int
    first_offset: int
    last_offset: int
    read: int
    absent: int
    counted: int
    replaced: int
    repeated: int
    late: int
    refused: dict[str, int]

    @property
    def unread(self) -> int:
        """Offsets that were passed and not read; 0 when all is well."""
        return self.last_offset + 1 - self.first_offset - self.read - self.absent

    @property
    def unexplained(self) -> int:
        """Records read that are in no column; 0 when all is well."""
        return self.read - self.counted - self.replaced - self.repeated - self.late - sum(self.refused.values())


class LabelsBalance(msgspec.Struct, frozen=True, kw_only=True):
    """Where the labels of one model version are: labelled predictions and replaced truths together.

    labels: counted by stage 1. final: of final windows, `windows` of them; late: came for these; open: the rest.
    """

    model: str
    version: str
    labels: int
    windows: int
    final: int
    late: int
    open: int

    @property
    def missing(self) -> int:
        """Labels that are nowhere in stage 2; negative when some are there twice; 0 is well."""
        return self.labels - self.final - self.late - self.open


class LabelsAudit(msgspec.Struct, frozen=True, kw_only=True):
    """The result; see audit.checks.Audit."""

    on_topic: int
    unread: int
    partitions: tuple[LabelsAccount, ...]
    versions: tuple[LabelsBalance, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()

    @property
    def balanced(self) -> bool:
        """Whether every line balances."""
        return not self.differences


def audited_labels(found: LabelsFound) -> LabelsAudit:
    """Draw up the accounts and compare them with the topics."""
    following = {meta.partition: meta.last_offset + 1 for meta in found.metas}
    partitions = tuple(_account(meta) for meta in sorted(found.metas, key=lambda meta: meta.partition))
    versions = tuple(_balances(found))
    return LabelsAudit(
        on_topic=sum(log.end - log.start for log in found.labels.values()),
        unread=sum(
            max(0, log.end - following.get(number, log.start))
            for number, log in found.labels.items()
            if number not in found.exhausted
        ),
        partitions=partitions,
        versions=versions,
        differences=(
            *(difference for account in partitions for difference in _partition(account, found)),
            *(_version(balance) for balance in versions if balance.missing),
            *_reports(found),
        ),
    )


def _account(meta: LabelMeta) -> LabelsAccount:
    accounts = meta.accounts.values()
    return LabelsAccount(
        partition=meta.partition,
        first_offset=meta.first_offset,
        last_offset=meta.last_offset,
        read=meta.read,
        absent=meta.absent,
        counted=sum(account.counted for account in accounts),
        replaced=sum(account.replaced for account in accounts),
        repeated=sum(account.repeated for account in accounts),
        late=sum(account.late for account in accounts),
        refused=dict(sorted(meta.refused.items())),
    )


def _balances(found: LabelsFound) -> Iterator[LabelsBalance]:
    records = {(record.model, record.version): record for record in found.versions}
    labels: dict[Version, int] = {}
    for meta in found.metas:
        for name, account in meta.accounts.items():
            labels[name] = labels.get(name, 0) + account.counted + account.replaced
    # A window that stage 1 still has counts as that says: what stage 2 was told may be behind, or ahead after a crash.
    windows = {(p.model, p.version, p.window_start, p.partition): p.labelled + p.replaced for p in found.parts}
    windows |= found.open_windows
    open_: dict[Version, int] = {}
    for (model, version, start, partition), amount in windows.items():
        record = records.get((model, version))
        if record is not None and record.horizon is not None and start <= record.horizon:
            oldest = min(record.closed, default=start)
            known = record.closed.get(start, {}).get(partition, 0 if start >= oldest else amount)
            amount = max(0, amount - known)
        open_[model, version] = open_.get((model, version), 0) + amount
    for name in sorted({*labels, *records, *open_}):
        record = records.get(name, LabelVersion(model=name[0], version=name[1]))
        yield LabelsBalance(
            model=record.model,
            version=record.version,
            labels=labels.get(name, 0),
            windows=record.windows,
            final=record.labelled + record.replaced,
            late=record.late,
            open=open_.get(name, 0),
        )


def _partition(account: LabelsAccount, found: LabelsFound) -> Iterator[Difference]:
    number = account.partition
    where = f"partition {number} of labels, offsets {account.first_offset} to {account.last_offset}"
    words: list[tuple[str, int]] = []
    if account.unread:
        words.append((f"{abs(account.unread)} were {'lost' if account.unread > 0 else 'read twice'}", account.unread))
    if account.unexplained:
        explained = account.read - account.unexplained
        words.append((f"{account.read} records read, {explained} accounted for", account.unexplained))
    log = found.labels.get(number)
    if log is None:
        words.append(("the partition is not there any more", account.read))
    elif account.first_offset > log.start:
        words.append((f"offsets {log.start} to {account.first_offset - 1} were never read", 0))
    elif account.last_offset >= log.end:
        words.append((f"the log ends at {log.end - 1}: was the topic made anew?", 0))
    for what, rows in words:
        yield Difference(
            kind="records" if what.endswith("accounted for") else "offsets",
            words=f"{where}: {what}",
            partition=number,
            first_offset=account.first_offset,
            last_offset=account.last_offset,
            rows=abs(rows),
        )
    refused = sum(account.refused.values())
    letters = sum(offset <= account.last_offset for offset in found.refused.get(number, ()))
    if found.refused_complete and letters < refused:
        words_ = f"{where}: {refused} records refused, {letters} are on dead-letters"
        yield Difference(kind="dead-letters", words=words_, partition=number, rows=refused - letters)


def _version(balance: LabelsBalance) -> Difference:
    what = f"{abs(balance.missing)} labels are {'missing' if balance.missing > 0 else 'there twice'}"
    words = (
        f"{balance.model}/{balance.version}: {what}: {balance.labels} counted or replaced, {balance.final} in final "
        f"windows, {balance.late} late for them, {balance.open} in open windows"
    )
    return Difference(
        kind="rows",
        words=words,
        model=balance.model,
        version=balance.version,
        rows=abs(balance.missing),
        too_many=balance.missing < 0,
    )


def _reports(found: LabelsFound) -> Iterator[Difference]:
    for (model, version, start), told in sorted(found.reports.items(), key=lambda one: one[0]):
        if told.number // 4 != told.labelled + told.replaced and not told.noted:
            words = (
                f"{named((model, version), start)}: revision {told.number} of performance has {told.labelled} "
                f"labelled and {told.replaced} replaced, together they must be {told.number // 4}"
            )
            yield Difference(kind="window", words=words, model=model, version=version, window_start=moment(start))
    if not found.reports_complete:
        return
    for record in found.versions:
        yield from _finals(record, found.reports)


def _finals(record: LabelVersion, reports: Revisions) -> Iterator[Difference]:
    final = [
        told
        for (model, version, start), told in reports.items()
        if (model, version) == _name(record) and record.horizon is not None and start <= record.horizon and told.final
    ]
    labels = sum(told.number // 4 for told in final)
    if len(final) != record.windows or labels != record.labelled + record.replaced:
        words = (
            f"{named(_name(record))}: {record.windows} final windows with {record.labelled + record.replaced} labels, "
            f"on performance are {len(final)} with {labels}"
        )
        yield Difference(kind="reports", words=words, model=record.model, version=record.version)


def _name(record: LabelVersion) -> Version:
    return record.model, record.version
