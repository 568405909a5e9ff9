"""Accounts: whether every record that was read is somewhere, and only once, by what both stages have stored.

Two lines must balance:
    a source partition:  offsets passed = records read + absent; read = counted + late + repeats + refused
    a model version:     counted by stage 1 = rows of the reports + rows late for stage 2 + rows of open windows
Stored state that was read while a worker was writing may be out of balance for that moment: read it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from contracts.partials import PartialAggregate
from stream_app.windowing.merged_state import ClosedWindow, VersionRecord, rows_closed
from stream_app.windowing.state import PartitionMeta
from stream_app.windowing.typed import Version

ClosedWindows = Mapping[tuple[str, str, int], ClosedWindow]
"""What stage 2 remembers of closed windows: by model, version and start."""


class PartitionAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the records of one source partition.

    offsets: from the first to the last one read. absent: those of them that the log has no record for.
    """

    partition: int
    first_offset: int
    last_offset: int
    offsets: int
    read: int
    absent: int
    counted: int
    late: int
    repeats: int
    refused: dict[str, int]

    @property
    def unread(self) -> int:
        """Offsets that were passed and not read; 0 when all is well."""
        return self.offsets - self.read - self.absent

    @property
    def unexplained(self) -> int:
        """Records read that are in no column; 0 when all is well."""
        return self.read - self.counted - self.late - self.repeats - sum(self.refused.values())


class VersionBalance(msgspec.Struct, frozen=True, kw_only=True):
    """Where the events of one model version are. late_rows: counted by stage 1, too late for stage 2's window."""

    model: str
    version: str
    counted: int
    late: int
    repeats: int
    reports: int
    reported_rows: int
    late_rows: int
    open_rows: int

    @property
    def missing(self) -> int:
        """Events counted by stage 1 that are nowhere in stage 2; negative when some are there twice; 0 is well."""
        return self.counted - self.reported_rows - self.late_rows - self.open_rows


class Accounts(msgspec.Struct, frozen=True):
    """The accounts of an installation at one moment."""

    partitions: tuple[PartitionAccount, ...]
    versions: tuple[VersionBalance, ...]

    @property
    def balanced(self) -> bool:
        """Whether every line balances."""
        lines = any(part.unread or part.unexplained for part in self.partitions)
        return not lines and not any(balance.missing for balance in self.versions)


def accounts_of(
    metas: Iterable[PartitionMeta],
    open_windows: Iterable[PartialAggregate],
    versions: Iterable[VersionRecord],
    parts: Iterable[PartialAggregate],
    closed: ClosedWindows = MappingProxyType({}),
) -> Accounts:
    """Draw up the accounts. open_windows: the windows that stage 1 has stored; the rest is what stage 2 has stored."""
    metas = sorted(metas, key=lambda meta: meta.partition)
    records = {(record.model, record.version): record for record in versions}
    open_rows = _open_rows(open_windows, records, parts, closed)
    names = {version for meta in metas for version in meta.accounts} | set(records) | set(open_rows)
    return Accounts(
        tuple(_partition_account(meta) for meta in metas),
        tuple(_balance(version, metas, records, open_rows.get(version, 0)) for version in sorted(names)),
    )


def _open_rows(
    open_windows: Iterable[PartialAggregate],
    records: dict[Version, VersionRecord],
    parts: Iterable[PartialAggregate],
    closed: ClosedWindows,
) -> dict[Version, int]:
    """Rows that are in no report yet. A final part may be in both stages: it counts once, with the greater number."""
    rows: dict[tuple[str, str, int, int, int], int] = {}
    for stage, partials in ((1, open_windows), (2, parts)):
        for part in partials:
            record = records.get((part.model, part.version), VersionRecord(model=part.model, version=part.version))
            if record.horizon is not None and part.window_start <= record.horizon:
                # closed: what stage 2 still keeps is reported; stage 1 may hold what it has not told stage 2 yet
                memory = closed.get((part.model, part.version, part.window_start))
                left = max(0, part.rows - rows_closed(record, memory, part)) if stage == 1 else 0
            else:
                left = part.rows
            key = (part.model, part.version, part.window_start, part.window_end, part.partition)
            rows[key] = max(left, rows.get(key, 0))
    totals: dict[Version, int] = {}
    for (model, version, *_), left in rows.items():
        totals[model, version] = totals.get((model, version), 0) + left
    return totals


def _partition_account(meta: PartitionMeta) -> PartitionAccount:
    return PartitionAccount(
        partition=meta.partition,
        first_offset=meta.first_offset,
        last_offset=meta.last_offset,
        offsets=meta.last_offset + 1 - meta.first_offset,
        read=meta.read,
        absent=meta.absent,
        counted=sum(account.counted for account in meta.accounts.values()),
        late=sum(account.late for account in meta.accounts.values()),
        repeats=sum(account.repeats for account in meta.accounts.values()),
        refused=dict(sorted(meta.refused.items())),
    )


def _balance(
    version: Version, metas: Iterable[PartitionMeta], records: dict[Version, VersionRecord], open_rows: int
) -> VersionBalance:
    accounts = [meta.accounts[version] for meta in metas if version in meta.accounts]
    record = records.get(version, VersionRecord(model=version[0], version=version[1]))
    return VersionBalance(
        model=record.model,
        version=record.version,
        counted=sum(account.counted for account in accounts),
        late=sum(account.late for account in accounts),
        repeats=sum(account.repeats for account in accounts),
        reports=record.reports,
        reported_rows=record.reported_rows,
        late_rows=record.late_rows,
        open_rows=open_rows,
    )
