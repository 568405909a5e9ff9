"""Accounts: every row is in one place; what is missing or there twice is named with its place."""

from __future__ import annotations

from msgspec.structs import replace

from stream_app.windowing.accounts import accounts_of
from stream_app.windowing.merged_state import VersionRecord
from stream_app.windowing.state import PartitionMeta, VersionAccount
from tests.unit.stream_app.windowing.stand import a_partial

META = PartitionMeta(
    partition=3,
    first_offset=100,
    last_offset=119,
    watermark=250,
    read=20,
    sequences={},
    accounts={("flights", "1"): VersionAccount(counted=12, late=3, repeats=2)},
    refused={"malformed": 2, "future": 1},
)
RECORD = VersionRecord(
    model="flights", version="1", horizon=0, reports=1, reported_rows=5, late_rows=1, closed={0: {100: {3: 5}}}
)
PENDING = a_partial(100, 4, partition=3)
OPEN = a_partial(200, 2, partition=3)


def test_what_was_read_is_counted_late_repeated_or_refused_and_what_was_counted_is_reported_late_or_open() -> None:
    #   counted 12 = [0 --5--) reported + 1 late + [100 --4--) in stage 2 + [200 --2--) in stage 1
    accounts = accounts_of([META], [OPEN], [RECORD], [PENDING])
    [partition], [balance] = accounts.partitions, accounts.versions
    assert (partition.offsets, partition.read, partition.counted, partition.late) == (20, 20, 12, 3)
    assert (partition.repeats, partition.refused) == (2, {"future": 1, "malformed": 2})
    assert (balance.counted, balance.reported_rows, balance.late_rows, balance.open_rows) == (12, 5, 1, 6)
    assert accounts.balanced


def test_a_final_part_that_both_stages_hold_counts_once() -> None:
    assert accounts_of([META], [PENDING, OPEN], [RECORD], [PENDING]).balanced


def test_a_part_that_is_merged_but_not_deleted_yet_is_not_open() -> None:
    merged = a_partial(0, 5, partition=3)
    assert accounts_of([META], [merged, OPEN], [RECORD], [merged, PENDING]).balanced


def test_rows_that_stage_1_holds_for_a_closed_window_are_open_until_they_are_late() -> None:
    behind = a_partial(0, 7, partition=3)
    meta = replace(META, accounts={("flights", "1"): VersionAccount(counted=14, late=1, repeats=2)})
    assert accounts_of([meta], [behind, OPEN], [RECORD], [PENDING]).balanced


def test_a_missing_row_is_missing_in_its_version() -> None:
    accounts = accounts_of([META], [], [RECORD], [PENDING])
    assert not accounts.balanced
    assert [balance.missing for balance in accounts.versions] == [2]


def test_a_row_that_is_there_twice_is_one_too_many() -> None:
    accounts = accounts_of([META], [OPEN], [replace(RECORD, reported_rows=6)], [PENDING])
    assert not accounts.balanced
    assert [balance.missing for balance in accounts.versions] == [-1]


def test_offsets_that_were_passed_and_not_read_are_unread_in_their_partition() -> None:
    accounts = accounts_of([replace(META, last_offset=121)], [OPEN], [RECORD], [PENDING])
    assert not accounts.balanced
    assert [partition.unread for partition in accounts.partitions] == [2]


def test_offsets_that_have_no_record_in_the_log_are_in_the_accounts_and_no_fault() -> None:
    accounts = accounts_of([replace(META, last_offset=121, absent=2)], [OPEN], [RECORD], [PENDING])
    assert accounts.balanced
    assert accounts.partitions[0].absent == 2


def test_records_in_no_column_are_unexplained() -> None:
    accounts = accounts_of([replace(META, refused={})], [OPEN], [RECORD], [PENDING])
    assert not accounts.balanced
    assert [partition.unexplained for partition in accounts.partitions] == [3]


def test_each_version_has_its_own_line_and_nothing_at_all_balances() -> None:
    other = VersionRecord(model="flights", version="2", reports=1, reported_rows=1)
    accounts = accounts_of([META], [OPEN], [other, RECORD], [PENDING])
    assert [balance.missing for balance in accounts.versions] == [0, -1]
    assert accounts_of([], [], [], []).balanced
