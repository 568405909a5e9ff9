"""The recount: it agrees with the core where all is well, and names window, source partition and offsets where not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from msgspec.structs import replace

from contracts.times import moment
from stream_app.audit import comparison
from stream_app.audit.checks import audited
from stream_app.audit.difference import Difference
from stream_app.audit.found import Found, Log, Reported
from stream_app.audit.letters import Letters
from stream_app.audit.recount import Recount
from stream_app.errors import SettingsError
from stream_app.windowing.state import VersionAccount
from stream_app.windowing.tumbling import WindowConfig
from tests.unit.stream_app.audit.installation import POISON, VALUES, WINDOWS, an_installation, with_account
from tests.unit.stream_app.windowing.stand import a_value

FLIGHTS = ("flights", "1")
LOGS: Mapping[int, Sequence[tuple[int, bytes | None]]] = {
    number: tuple(enumerate(values)) for number, values in VALUES.items()
}


def recounted(found: Found, logs: Mapping[int, Sequence[tuple[int, bytes | None]]] = LOGS) -> Recount:
    recount = Recount(found, WINDOWS)
    for number, records in logs.items():
        for first in range(0, len(records), 2):  # in several reads, as a consumer gives them
            recount.add(number, records[first : first + 2])
    return recount


def differences(
    found: Found, logs: Mapping[int, Sequence[tuple[int, bytes | None]]] = LOGS
) -> list[tuple[str, Difference]]:
    return [(difference.kind, difference) for difference in comparison.differences(recounted(found, logs))]


def with_report(found: Found, start: int, **change: object) -> Found:
    windows = found.reports[FLIGHTS]
    return replace(found, reports={**found.reports, FLIGHTS: {**windows, start: replace(windows[start], **change)}})


def test_where_all_is_well_the_recount_agrees() -> None:
    found = an_installation()
    assert audited(found).differences == ()
    recount = recounted(found)
    assert (list(comparison.differences(recount)), list(comparison.notes(recount)), recount.records) == ([], [], 12)
    assert {start: window.rows for start, window in found.reports[FLIGHTS].items()} == {0: 3, 100: 4}


def test_a_report_with_too_few_rows_is_named_with_the_source_partition_and_its_offsets() -> None:
    found = an_installation()
    closed = {key: window for key, window in found.closed.items() if key != (*FLIGHTS, 100)}
    lost = replace(found.closed[*FLIGHTS, 100], rows={0: 2, 1: 1})
    doctored = replace(with_report(found, 100, rows=3), closed={**closed, (*FLIGHTS, 100): lost})
    [(kind, difference)] = differences(doctored)
    assert str(difference) == (
        "flights/1, window 1970-01-01T00:00:00.100000+00:00: 3 rows in its report, 4 recounted from predictions; "
        "partition 1: 1 counted, 2 recounted in offsets 2 to 3"
    )
    assert (kind, difference.partition, difference.first_offset, difference.last_offset) == ("window", 1, 2, 3)
    assert (difference.window_start, difference.rows) == (moment(100), 1)


def test_a_report_with_too_many_rows_is_named_with_all_its_partitions_where_their_rows_are_not_remembered() -> None:
    [(_, difference)] = differences(replace(with_report(an_installation(), 0, rows=4), closed={}))
    assert "00:00:00+00:00: 4 rows in its report, 3 recounted from predictions" in str(difference)
    assert "partition 0: 2 recounted in offsets 0 to 1; partition 1: 1 recounted in offsets 0 to 0" in str(difference)
    assert difference.partition is None


def test_a_report_that_is_not_what_was_merged_is_told_from_a_wrong_count() -> None:
    [(_, difference)] = differences(with_report(an_installation(), 0, rows=9))
    assert str(difference).endswith("what was merged agrees with them in every source partition")
    assert difference.partition is None


def test_an_open_window_with_other_rows_is_named() -> None:
    found = an_installation()
    [waiting] = found.open_windows
    [(_, difference)] = differences(replace(found, open_windows=(replace(waiting, rows=2),)))
    assert "00.200000+00:00: 2 rows in open windows, 1 recounted from predictions; partition 1: 2 counted" in str(
        difference
    )


def test_an_event_that_no_window_counts_and_nobody_calls_late_is_named() -> None:
    #   partition 1, offset 3 is behind what the report counts of it
    found = an_installation()
    closed = {**found.closed, (*FLIGHTS, 100): replace(found.closed[*FLIGHTS, 100], rows={0: 2, 1: 1})}
    doctored = replace(with_report(found, 100, rows=3, partitions={0: 4, 1: 2}), closed=closed)
    [(kind, difference)] = differences(doctored)
    assert str(difference) == (
        "flights/1: 2 events came behind what their windows count, 1 are late; first flights/1, window "
        "1970-01-01T00:00:00.100000+00:00, partition 1: 1 in offsets 3 to 3"
    )
    assert (kind, difference.partition, difference.first_offset, difference.rows) == ("rows", 1, 3, 1)


def closed_too_early(found: Found, **change: object) -> Found:
    """Doctored: stage 2 closed [100, 200) when it had one of the two events of partition 1."""
    closed = {**found.closed, (*FLIGHTS, 100): replace(found.closed[*FLIGHTS, 100], rows={0: 2, 1: 1})}
    early = replace(with_report(found, 100, rows=3, partitions={0: 4, 1: 2}), closed=closed)
    versions = tuple(
        replace(record, reported_rows=record.reported_rows - 1, **change) if record.version == "1" else record
        for record in found.versions
    )
    return replace(early, versions=versions)


def test_rows_that_stage_2_knows_to_be_late_are_explained() -> None:
    found = closed_too_early(an_installation(), late_rows=1)
    assert (audited(found).differences, differences(found)) == ((), [])


def test_rows_of_a_closed_window_that_stage_1_still_holds_are_explained() -> None:
    found = closed_too_early(an_installation())
    [waiting] = found.open_windows
    held = replace(waiting, window_start=100, window_end=200, rows=2, offset=3)
    found = replace(found, open_windows=(waiting, held))
    assert (audited(found).differences, differences(found)) == ((), [])


def test_a_partition_whose_account_has_other_events_than_its_log_is_named_with_the_version() -> None:
    found = with_account(an_installation(), 0, FLIGHTS, counted=5)
    [(kind, difference)] = differences(found)
    assert str(difference) == (
        "source partition 0, flights/1: 5 counted, 1 late, 1 repeats; recounted 5 events, 1 repeats in offsets 0 to 4"
    )
    assert (kind, difference.partition, difference.first_offset, difference.last_offset) == ("records", 0, 0, 4)


def test_a_version_that_was_counted_and_is_not_on_the_log_is_named() -> None:
    found = an_installation()
    metas = tuple(
        replace(meta, accounts={**meta.accounts, ("ghost", "1"): VersionAccount(counted=3)}) for meta in found.metas[:1]
    )
    named = [str(difference) for _, difference in differences(replace(found, metas=(*metas, *found.metas[1:])))]
    assert named == ["source partition 0, ghost/1: 3 counted, 0 late, 0 repeats; recounted 0 events, 0 repeats"]


def test_records_on_the_log_that_were_passed_as_absent_are_named() -> None:
    found = an_installation()
    metas = (replace(found.metas[0], read=6, absent=1), found.metas[1])
    [(kind, difference)] = differences(replace(found, metas=metas))
    assert str(difference) == "source partition 0, offsets 0 to 6: 6 records read, 7 are on the log"
    assert (kind, difference.rows) == ("records", 1)


def test_a_refused_record_that_is_not_on_dead_letters_is_named_with_its_offset() -> None:
    [(kind, difference)] = differences(replace(an_installation(), letters=Letters()))
    assert str(difference) == f"source partition 1: offsets {POISON} cannot be counted and are not on dead-letters"
    assert (kind, difference.first_offset) == ("dead-letters", POISON)


def test_what_stage_1_has_not_read_is_passed_over() -> None:
    logs = {**LOGS, 1: (*LOGS[1], (5, a_value(240, id="e")), (6, b"{")), 7: ((0, b"{"),)}
    assert differences(an_installation(), logs) == []


def test_where_records_are_deleted_only_what_is_missing_in_the_accounts_is_a_difference() -> None:
    found, logs = an_installation(), {**LOGS, 0: LOGS[0][2:]}
    found = replace(found, predictions={**found.predictions, 0: Log(2, 7)})
    recount = recounted(found, logs)
    assert list(comparison.differences(recount)) == []
    [note] = comparison.notes(recount)
    assert note.startswith("source partition 0: offsets 0 to 1 are deleted")
    closed = {**found.closed, (*FLIGHTS, 100): replace(found.closed[*FLIGHTS, 100], rows={0: 1, 1: 2})}
    fewer = replace(with_report(found, 100, rows=3), closed=closed)
    [(kind, difference)] = differences(fewer, logs)
    assert (kind, difference.partition, difference.first_offset, difference.last_offset) == ("window", 0, 2, 4)


def test_windows_of_several_lengths_are_not_recounted_and_that_is_said() -> None:
    found = an_installation()
    other = {**found.reports[FLIGHTS], -500: Reported(window_end=0, rows=9, partitions={})}
    recount = recounted(replace(found, reports={FLIGHTS: other}))
    assert list(comparison.differences(recount)) == []
    assert [note[:27] for note in comparison.notes(recount)] == ["there are windows of 0.5 s:"]


def test_a_letter_of_an_event_that_was_counted_after_all_is_a_note_and_the_state_is_right() -> None:
    """A worker died behind an unknown-version letter; when its successor read the event the baseline had come."""
    found = an_installation()
    refused = {**found.letters.refused, 0: frozenset({0, 1})}
    letters = Letters(refused, {0: {0: FLIGHTS, 1: FLIGHTS}})
    recount = recounted(replace(found, letters=letters))
    assert list(comparison.differences(recount)) == []
    [note] = comparison.notes(recount)
    assert note.startswith("source partition 0: offsets 0 to 1 are on dead-letters (unknown-version) and were counted")


def test_letters_of_another_reason_stay_refused() -> None:
    found = an_installation()
    refused = {**found.letters.refused, 0: frozenset({0})}
    assert differences(replace(found, letters=Letters(refused)))


def test_windows_of_another_length_alone_mean_that_the_setting_is_not_the_workers() -> None:
    found = an_installation()
    with pytest.raises(
        SettingsError,
        match=r"STREAM_WINDOW_SECONDS: the windows of this group are of 0\.1 s, none is of 0\.5 s",
    ):
        Recount(found, WindowConfig(5 * WINDOWS.size_ms)).check()
    Recount(found, WINDOWS).check()
    nothing = replace(found, reports={}, open_windows=(), parts=())
    Recount(nothing, WindowConfig(5 * WINDOWS.size_ms)).check()
