"""The audit: what balances, and each way in which it does not, named with its place."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from msgspec.structs import replace

from contracts.partials import PartialAggregate
from contracts.reports import DriftReport, report_id
from contracts.times import moment
from stream_app.audit.checks import audited
from stream_app.audit.difference import Difference
from stream_app.audit.found import Found, Log, Reported, ReportsSoFar
from stream_app.audit.letters import Letters
from stream_app.audit.table import as_json, as_text
from stream_app.windowing.merged_state import ClosedWindow, VersionRecord
from stream_app.windowing.state import PartitionMeta, VersionAccount
from tests.builders import NOON, NOON_MS
from tests.unit.stream_app.windowing.stand import a_partial

FLIGHTS = ("flights", "1")
FIRST, SECOND = NOON_MS, NOON_MS + 60_000
META = PartitionMeta(
    partition=0,
    first_offset=0,
    last_offset=109,
    watermark=0,
    read=108,
    absent=2,
    sequences={},
    accounts={FLIGHTS: VersionAccount(counted=98, late=3, repeats=2)},
    refused={"malformed": 4, "future": 1},
)
RECORD = VersionRecord(model="flights", version="1", horizon=SECOND, reports=2, reported_rows=98)
#   [12:00 ----60----) [12:01 ----38----)   both closed
REPORTS = {
    FIRST: Reported(window_end=FIRST + 60_000, rows=60, partitions={0: 70}),
    SECOND: Reported(window_end=SECOND + 60_000, rows=38, partitions={0: 109}),
}
WELL = Found(
    predictions={0: Log(0, 110), 1: Log(0, 0)},
    metas=(META,),
    open_windows=(),
    versions=(RECORD,),
    parts=(),
    closed={
        (*FLIGHTS, FIRST): ClosedWindow(length=60_000, rows={0: 60}, reports=1, offset=1),
        (*FLIGHTS, SECOND): ClosedWindow(length=60_000, rows={0: 38}, reports=2, offset=2),
    },
    reports={FLIGHTS: REPORTS},
    reports_complete=True,
    letters=Letters({0: frozenset(range(5))}),
    refused_complete=True,
)


def the_difference(**change: object) -> Difference:
    """The one difference of a doctored installation."""
    [difference] = audited(replace(WELL, **change)).differences
    return difference


def test_accounts_in_which_every_record_is_somewhere_balance() -> None:
    audit = audited(WELL)
    assert (audit.differences, audit.notes) == ((), ())
    assert (audit.on_topic, audit.unread, audit.balanced) == (110, 0, True)


def test_answered_predictions_that_are_not_on_the_topic_are_named() -> None:
    difference = the_difference(answered=7, lost=("a", "b"))
    assert (difference.kind, difference.rows) == ("answered", 2)
    assert str(difference) == "2 of 7 answered predictions are not on the topic: a, b"


def test_offsets_that_were_passed_and_not_read_are_named() -> None:
    difference = the_difference(metas=(replace(META, absent=0),))
    assert (difference.kind, difference.partition, difference.rows) == ("offsets", 0, 2)
    assert (difference.first_offset, difference.last_offset) == (0, 109)
    assert "source partition 0, offsets 0 to 109: 110 passed, 108 records read, 0 without a record; 2 were" in str(
        difference
    )


def test_records_that_were_read_twice_are_named() -> None:
    difference = the_difference(metas=(replace(META, absent=5),))
    assert (difference.kind, difference.rows) == ("offsets", 3)
    assert str(difference).endswith("110 passed, 108 records read, 5 without a record; 3 were read twice")


def test_records_that_are_in_no_column_are_named() -> None:
    difference = the_difference(
        metas=(replace(META, refused={"malformed": 4}),), letters=Letters({0: frozenset(range(4))})
    )
    assert (difference.kind, difference.partition, difference.rows) == ("records", 0, 1)
    assert str(difference) == "source partition 0, offsets 0 to 109: 108 records read, 107 accounted for"


def test_offsets_before_the_first_one_read_are_named() -> None:
    difference = the_difference(metas=(replace(META, first_offset=5, absent=0, read=105, refused={"future": 2}),))
    assert str(difference) == "source partition 0: offsets 0 to 4 were never read"
    assert (difference.partition, difference.first_offset, difference.last_offset) == (0, 0, 4)


def test_a_log_that_ends_before_what_was_read_is_named() -> None:
    difference = the_difference(predictions={0: Log(0, 100)})
    assert "source partition 0: read to 109, the log ends at 99" in str(difference)
    assert (difference.first_offset, difference.last_offset) == (100, 109)


def test_a_partition_that_is_gone_is_named() -> None:
    assert str(the_difference(predictions={})) == "source partition 0 is not there any more"


def test_dead_letters_that_are_missing_are_named() -> None:
    difference = the_difference(letters=Letters({0: frozenset({1, 2, 3})}))
    assert "source partition 0, offsets 0 to 109: 5 records refused, 3 are on dead-letters" in str(difference)
    assert (difference.kind, difference.rows) == ("dead-letters", 2)


def test_a_closed_window_without_its_report_is_named() -> None:
    difference = the_difference(reports={FLIGHTS: {SECOND: REPORTS[SECOND]}})
    words = "flights/1, window 2026-01-01T12:00:00+00:00: was closed with 60 rows, its report is not on the topic"
    assert (str(difference), difference.window_start) == (words, moment(FIRST))
    assert (difference.kind, difference.model, difference.version, difference.rows) == ("reports", "flights", "1", 60)


def test_a_report_that_does_not_have_the_rows_that_were_merged_is_named_with_its_source_partitions() -> None:
    reports = {**REPORTS, FIRST: replace(REPORTS[FIRST], rows=59)}
    difference = the_difference(reports={FLIGHTS: reports})
    assert "12:00:00+00:00: 60 rows were merged, by source partition 0 (60); its report has 59" in str(difference)


def test_a_report_that_was_sent_twice_with_other_rows_is_named() -> None:
    reports = {**REPORTS, FIRST: replace(REPORTS[FIRST], other_rows=(58,))}
    difference = the_difference(reports={FLIGHTS: reports})
    assert "12:00:00+00:00: was reported with 60 rows, and with 58 before" in str(difference)


def test_missing_reports_of_windows_that_nobody_remembers_are_counted() -> None:
    difference = the_difference(reports={FLIGHTS: {SECOND: REPORTS[SECOND]}}, closed={})
    assert "2 windows closed with 98 rows, on the topic are 1 reports with 38 rows" in str(difference)


def test_rows_that_are_missing_are_named_with_their_version() -> None:
    metas = (replace(META, accounts={FLIGHTS: VersionAccount(counted=99, late=2, repeats=2)}),)
    difference = the_difference(metas=metas)
    assert str(difference).startswith("flights/1: 1 rows are missing: 99 counted, 98 in reports, 0 late for stage 2")
    assert (difference.kind, difference.rows, difference.too_many) == ("rows", 1, False)


def test_rows_that_are_there_twice_say_so_for_programs_too() -> None:
    difference = the_difference(
        metas=(replace(META, accounts={FLIGHTS: VersionAccount(counted=97, late=4, repeats=2)}),)
    )
    assert str(difference).startswith("flights/1: 1 rows are there twice")
    assert (difference.kind, difference.rows, difference.too_many) == ("rows", 1, True)


def test_a_window_ahead_of_its_position_is_named_with_the_cause() -> None:
    ahead: PartialAggregate = replace(a_partial(SECOND + 60_000, 1), partition=0, offset=112)
    differences = audited(replace(WELL, open_windows=(ahead,), predictions={0: Log(0, 113)})).differences
    assert [difference.kind for difference in differences] == ["ahead", "rows"]
    assert "source partition 0: flights/1, window 2026-01-01T12:02:00+00:00 has counted to offset 112" in str(
        differences[0]
    )
    assert (differences[0].first_offset, differences[0].last_offset) == (110, 112)


def test_records_that_stage_1_has_not_come_to_are_said_and_are_no_fault() -> None:
    audit = audited(replace(WELL, predictions={0: Log(0, 150), 1: Log(20, 25)}))
    assert (audit.unread, audit.balanced) == (45, True)


def test_offsets_behind_the_position_that_hold_no_record_are_not_waiting() -> None:
    audit = audited(replace(WELL, predictions={0: Log(0, 111), 1: Log(0, 0)}, exhausted=frozenset({0})))
    assert (audit.unread, audit.balanced) == (0, True)


def test_records_that_retention_deleted_are_no_fault() -> None:
    old = replace(WELL, predictions={0: Log(90, 110)}, reports={}, reports_complete=False)
    assert audited(replace(old, letters=Letters(), refused_complete=False)).balanced


def test_a_dead_letter_whose_state_is_not_written_yet_is_no_fault() -> None:
    assert audited(replace(WELL, letters=Letters({0: frozenset([*range(5), 110])}))).balanced


def test_reports_of_another_app_id_are_left_out_and_said() -> None:
    audit = audited(replace(WELL, foreign_reports=7))
    assert audit.balanced
    assert audit.notes == ("7 reports on the topic are of another STREAM_APP_ID and are left out",)


def test_a_report_whose_state_is_not_written_yet_is_no_fault_and_said() -> None:
    third = Reported(window_end=SECOND + 120_000, rows=3, partitions={0: 109})
    audit = audited(replace(WELL, reports={FLIGHTS: {**REPORTS, SECOND + 60_000: third}}))
    assert audit.balanced
    assert (
        "flights/1, window 2026-01-01T12:02:00+00:00: its report is on the topic and not in the state" in audit.notes[0]
    )


def a_report(minute: int, rows: int, version: str = "1") -> DriftReport:
    start = NOON + timedelta(minutes=minute)
    return DriftReport(
        id=report_id("flights", version, start),
        model="flights",
        version=version,
        baseline="",
        window_start=start,
        window_end=start + timedelta(minutes=1),
        rows=rows,
        compared_rows=rows,
        merged_windows=0,
        status="quiet",
        preset="calibrated",
        alarms=(),
        features=(),
        partitions={0: rows},
    )


def test_a_report_that_was_sent_twice_counts_once_and_one_that_says_something_else_is_kept() -> None:
    sent = [a_report(0, 60), a_report(1, 39), a_report(0, 60), a_report(0, 7, "2"), a_report(1, 40)]
    so_far, places = ReportsSoFar(places=False), ReportsSoFar(places=True)
    for report in sent:
        so_far.take(report)
        places.take(report)
    found = places.reports
    assert {version: sorted(windows) for version, windows in found.items()} == {
        FLIGHTS: [FIRST, SECOND],
        ("flights", "2"): [FIRST],
    }
    assert found[FLIGHTS][FIRST] == Reported(window_end=SECOND, rows=60, partitions={0: 60})
    assert (found[FLIGHTS][SECOND].rows, found[FLIGHTS][SECOND].other_rows) == (40, (39,))
    assert so_far.reports[FLIGHTS][SECOND] == replace(found[FLIGHTS][SECOND], partitions={})


def test_the_table_ends_with_the_verdict() -> None:
    assert as_text(audited(WELL)).splitlines()[-1] == "balanced"
    lines = as_text(audited(replace(WELL, versions=()))).splitlines()
    assert lines[-1] == "does not balance (1)"
    assert lines[-2] == "hint: rows that differ: --recount finds window, source partition and offsets"
    assert lines[-3].startswith("DIFFERENCE flights/1: 98 rows are missing")


def test_the_hint_is_of_the_kind_of_difference() -> None:
    def hints(**changed: object) -> list[str]:
        lines = as_text(audited(replace(WELL, **changed))).splitlines()
        return [line for line in lines if line.startswith("hint: ")]

    (answered,) = hints(answered=3, lost=("a", "b"))
    assert "outbox" in answered
    assert "python -m api aside list" in answered
    assert "--recount" not in answered
    both = hints(answered=3, lost=("a",), versions=())
    assert [("aside list" in hint, "--recount" in hint) for hint in both] == [(True, False), (False, True)]
    (offsets,) = hints(predictions={**WELL.predictions, 0: Log(0, 1)}, exhausted=frozenset({0}))
    assert "made anew" in offsets


def test_programs_get_the_same_as_people() -> None:
    told = json.loads(as_json(audited(replace(WELL, answered=3))))
    assert (told["balanced"], told["differences"], told["answered"], told["on_topic"]) == (True, [], 3, 110)
    assert told["accounts"]["partitions"][0]["refused"] == {"malformed": 4, "future": 1}
    assert told["accounts"]["versions"][0]["counted"] == 98


def test_a_difference_has_its_place_as_fields() -> None:
    [told] = json.loads(as_json(audited(replace(WELL, reports={FLIGHTS: {SECOND: REPORTS[SECOND]}}))))["differences"]
    assert told == {
        "kind": "reports",
        "words": "flights/1, window 2026-01-01T12:00:00+00:00: was closed with 60 rows, its report is not on the topic",
        "model": "flights",
        "version": "1",
        "window_start": "2026-01-01T12:00:00Z",
        "rows": 60,
    }


@pytest.mark.parametrize("kind", ["answered", "rows"])
def test_fields_that_say_nothing_are_left_out(kind: str) -> None:
    told = json.loads(as_json(audited(replace(WELL, answered=1, lost=("a",), versions=(), reports={}, closed={}))))
    assert all(None not in difference.values() for difference in told["differences"] if difference["kind"] == kind)


def test_records_that_are_no_message_of_their_topic_are_a_note_and_no_difference() -> None:
    audit = audited(replace(WELL, unreadable={"drift-reports": 1, "dead-letters": 1_200}))
    assert audit.balanced
    assert [note[: note.index(" left")] for note in audit.notes] == [
        "dead-letters: 1200 records are",
        "drift-reports: 1 record is",
    ]
