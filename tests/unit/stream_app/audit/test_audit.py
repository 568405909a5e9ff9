"""The audit: what balances, and each way in which it does not."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from stream_app.audit.checks import Audit, Found, Log, audited, counted_reports
from stream_app.audit.table import as_json, as_text
from stream_app.windowing.merged_state import VersionRecord
from stream_app.windowing.state import PartitionMeta, VersionAccount

FLIGHTS = ("flights", "1")
META = PartitionMeta(
    partition=0,
    first_offset=0,
    last_offset=109,
    watermark=0,
    read=110,
    sequences={},
    accounts={FLIGHTS: VersionAccount(counted=100, late=3, repeats=2)},
    refused={"malformed": 4, "future": 1},
)
WELL = Found(
    predictions={0: Log(0, 110), 1: Log(0, 0)},
    metas=(META,),
    open_windows=(),
    versions=(VersionRecord(model="flights", version="1", horizon=0, reports=2, reported_rows=100),),
    parts=(),
    reports={FLIGHTS: (2, 100)},
    reports_complete=True,
    refused={0: frozenset(range(5))},
    refused_complete=True,
)


def test_accounts_in_which_every_record_is_somewhere_balance() -> None:
    audit = audited(WELL)
    assert audit.differences == ()
    assert (audit.on_topic, audit.unread, audit.balanced) == (110, 0, True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"answered": 7, "lost": ("a", "b")}, "2 of 7 answered predictions are not on the topic"),
        ({"metas": (replace(META, read=109),)}, "source partition 0: 110 offsets passed, 109 records read"),
        ({"metas": (replace(META, first_offset=5, last_offset=114),)}, "offsets 0 to 4 were never read"),
        ({"predictions": {0: Log(0, 100)}}, "read to 109, the log ends at 99"),
        ({"predictions": {}}, "source partition 0 is not there any more"),
        ({"refused": {0: frozenset({1, 2, 3})}}, "5 records refused, 3 are on dead-letters"),
        ({"reports": {FLIGHTS: (1, 40)}}, "2 windows closed with 100 rows, on the topic are 1 reports with 40 rows"),
        ({"versions": ()}, "100 rows are missing"),
    ],
)
def test_what_is_missing_is_named_with_its_place(change: dict[str, object], words: str) -> None:
    differences = audited(replace(WELL, **change)).differences
    assert any(words in difference for difference in differences), differences


def test_records_that_stage_1_has_not_come_to_are_said_and_are_no_fault() -> None:
    audit = audited(replace(WELL, predictions={0: Log(0, 150), 1: Log(20, 25)}))
    assert (audit.unread, audit.balanced) == (45, True)


def test_records_that_retention_deleted_are_no_fault() -> None:
    old = replace(WELL, predictions={0: Log(90, 110)}, reports={}, reports_complete=False)
    assert audited(replace(old, refused={}, refused_complete=False)).balanced


def test_a_dead_letter_whose_state_is_not_written_yet_is_no_fault() -> None:
    assert audited(replace(WELL, refused={0: frozenset([*range(5), 110])})).balanced


def test_a_report_that_was_sent_twice_counts_once() -> None:
    sent = [("w1", FLIGHTS, 60), ("w2", FLIGHTS, 40), ("w1", FLIGHTS, 60), ("v1", ("flights", "2"), 5)]
    assert counted_reports(sent) == {FLIGHTS: (2, 100), ("flights", "2"): (1, 5)}


def test_the_table_ends_with_the_verdict() -> None:
    assert as_text(audited(WELL)).splitlines()[-1] == "balanced"
    assert as_text(audited(replace(WELL, versions=()))).splitlines()[-1] == "does not balance (1)"


def test_programs_get_the_same_as_people() -> None:
    audit: Audit = audited(replace(WELL, answered=3))
    told = json.loads(as_json(audit))
    assert (told["balanced"], told["differences"], told["answered"], told["on_topic"]) == (True, [], 3, 110)
    assert told["accounts"]["partitions"][0]["refused"] == {"malformed": 4, "future": 1}
    assert told["accounts"]["versions"][0]["counted"] == 100
