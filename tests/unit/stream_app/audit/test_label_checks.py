"""The labels' accounts balance when all is well, and what does not is named."""

from __future__ import annotations

from msgspec.structs import replace

from contracts.performance import PerformanceReport, performance_id
from contracts.times import moment
from stream_app.audit.found import Log
from stream_app.audit.label_checks import LabelsFound, audited_labels
from stream_app.audit.revisions import RevisionsSoFar
from tests.builders import NOON_MS
from tests.unit.stream_app.labelling.stand import Stage1, a_label, records
from tests.unit.stream_app.labelling.test_reviser import Stage2


def report_of(number: int, labelled: int, replaced: int, start: int, *, final: bool) -> PerformanceReport:
    return PerformanceReport(
        id=performance_id("flights", "1", moment(start), number),
        model="flights",
        version="1",
        baseline="",
        window_start=moment(start),
        window_end=moment(start + 10_000),
        revision=number,
        labelled=labelled,
        predictions=None,
        positives=0,
        status="insufficient",
        metrics=(),
        replaced=replaced,
        final=final,
    )


def an_installation() -> LabelsFound:
    """One partition: a final window with 3 labels and one replaced, an open one with 2; one late, one repeat, one
    letter."""
    one, two, reports = Stage1(), Stage2(), RevisionsSoFar()
    labels = [a_label(1, at=1), a_label(2, at=2), a_label(3, at=3), a_label(2, at=2, truth=0), a_label(1, at=1), b"{"]
    one.count(records([*labels, a_label(4, at=70, after=3), a_label(5, at=71), a_label(6, at=4)]))
    parts = one.send(one.partition.due())
    two.take(parts)
    two.hear(one.partition.watermark)
    for revision in two.publish():
        labelled = revision.counts.labelled
        reports.take(
            report_of(revision.number, labelled, revision.replaced, revision.window_start, final=revision.final)
        )
    meta = one.partition.meta
    assert meta is not None
    return LabelsFound(
        labels={0: Log(0, 9)},
        metas=(meta,),
        open_windows={
            (name.model, name.version, name.window_start, name.partition): amount
            for name, amount in one.partition.standing()
        },
        versions=(two.reviser.record("flights", "1"),),
        parts=(),
        reports=reports.newest,
        reports_complete=True,
        refused={0: frozenset({5})},
        refused_complete=True,
    )


def words(found: LabelsFound) -> list[str]:
    return [str(difference) for difference in audited_labels(found).differences]


def test_every_label_is_counted_replaced_repeated_late_or_refused() -> None:
    result = audited_labels(an_installation())
    assert result.balanced, result.differences
    (account,) = result.partitions
    assert (account.counted, account.replaced, account.repeated, account.late, account.refused) == (
        5,
        1,
        1,
        1,
        {"malformed": 1},
    )
    (balance,) = result.versions
    assert (balance.labels, balance.windows, balance.final, balance.late, balance.open) == (6, 1, 4, 0, 2)
    assert (result.on_topic, result.unread) == (9, 0)


def test_labels_not_read_yet_are_said_and_no_fault() -> None:
    result = audited_labels(replace(an_installation(), labels={0: Log(0, 12)}))
    assert (result.balanced, result.unread) == (True, 3)


def test_a_label_that_was_passed_over_is_named() -> None:
    found = an_installation()
    (meta,) = found.metas
    assert words(replace(found, metas=(replace(meta, read=8),))) == [
        "partition 0 of labels, offsets 0 to 8: 1 were lost",
        "partition 0 of labels, offsets 0 to 8: 8 records read, 9 accounted for",
    ]
    assert "partition 0 of labels, offsets 2 to 8: offsets 0 to 1 were never read" in words(
        replace(found, metas=(replace(meta, first_offset=2, read=7),))
    )


def test_labels_missing_in_stage_2_are_named() -> None:
    found = an_installation()
    assert words(replace(found, open_windows={})) == [
        "flights/1: 2 labels are missing: 6 counted or replaced, 4 in final windows, 0 late for them, 0 in open windows"
    ]
    twice = replace(found, open_windows=dict.fromkeys(found.open_windows, 10))
    assert [difference.too_many for difference in audited_labels(twice).differences] == [True]


def test_a_final_report_that_is_not_on_the_topic_or_says_something_else_is_named() -> None:
    found = an_installation()
    assert words(replace(found, reports={})) == [
        "flights/1: 1 final windows with 4 labels, on performance are 0 with 0"
    ]
    [(name, revision)] = found.reports.items()
    doctored = {name: replace(revision, labelled=2)}
    assert "has 2 labelled and 1 replaced, together they must be 4" in words(replace(found, reports=doctored))[0]


def test_a_refused_label_without_a_letter_is_named() -> None:
    assert "1 records refused, 0 are on dead-letters" in words(replace(an_installation(), refused={}))[0]


def test_a_window_that_stage_1_has_not_deleted_yet_counts_once() -> None:
    found = an_installation()
    window = ("flights", "1", NOON_MS, 0)
    assert audited_labels(replace(found, open_windows={**found.open_windows, window: 4})).balanced
