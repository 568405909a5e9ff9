"""What `python -m stream_app reports` shows: the newest windows of each version, a line for each."""

from __future__ import annotations

import json
from typing import Any

from msgspec.structs import replace

from contracts.findings import Cause
from contracts.performance import PerformanceReport, encode_performance, performance_id
from contracts.reports import encode_report
from stream_app.reports.picture import Newest, Report, line
from tests.alerting import HOUR, a_report, a_verdict, window

UNIT = Cause(kind="unit", sentence="distance: 33 % of rows look multiplied by 1.61 (miles -> kilometres?)")


def measured(number: int, revision: int = 1, **more: Any) -> PerformanceReport:
    """Performance of the n-th window."""
    known = {"model": "flights", "version": "3", "labelled": 622, "predictions": 1004, "positives": 200}
    told = {
        **known,
        "status": "well",
        "summary": f"62 % of 1,004 predictions labelled: revision {revision}",
        "id": performance_id("flights", "3", window(number), revision),
        "window_start": window(number),
        "window_end": window(number) + HOUR,
    }
    return PerformanceReport(baseline="", metrics=(), revision=revision, **{**told, **more})


def newest(*reports: Report, last: int = 5, **only: str) -> Newest:
    found = Newest(last, **only)
    for report in reports:
        found.add(report)
    return found


def starts(found: Newest) -> list[tuple[str, str, str]]:
    told = [json.loads(each) for each in found.as_json()]
    return [(each["version"], each["subject"], each["window_start"][11:16]) for each in told]


def test_a_window_is_a_line_and_the_newest_comes_last() -> None:
    found = newest(a_report(2, a_verdict(cause=UNIT)), measured(1, final=True), a_report(1))
    assert list(found.lines()) == [
        "flights/3",
        "  drift        2026-01-01T12:00:00Z to 2026-01-01T13:00:00Z  quiet         1,000 rows: nothing alarms",
        "  drift        2026-01-01T13:00:00Z to 2026-01-01T14:00:00Z  alarm         1,000 rows: " + UNIT.sentence,
        "  performance  2026-01-01T12:00:00Z to 2026-01-01T13:00:00Z  well          62 % of 1,004 predictions "
        "labelled: revision 1 (final)",
    ]


def test_only_the_newest_windows_of_each_version_and_subject_are_shown_whatever_order_they_came_in() -> None:
    drift = [a_report(number) for number in (3, 1, 4, 2)]
    other = [a_report(number, version="10") for number in (1, 2, 3)]
    found = newest(*drift, *other, measured(1), measured(2), measured(3), measured(1, 2), last=2)
    assert starts(found) == [
        ("3", "drift", "14:00"),
        ("3", "drift", "15:00"),
        ("3", "performance", "13:00"),
        ("3", "performance", "14:00"),
        ("10", "drift", "13:00"),
        ("10", "drift", "14:00"),
    ]


def test_of_a_windows_performance_the_highest_revision_counts_also_when_an_older_one_comes_again() -> None:
    found = newest(measured(1, 1), measured(1, 9), measured(1, 5))
    [told] = [json.loads(each) for each in found.as_json()]
    assert told["revision"] == 9


def test_json_is_the_report_as_it_is_on_its_topic_with_its_subject_and_a_summary() -> None:
    drift, performance = a_report(1, "temp"), measured(1)
    [one, other] = [json.loads(each) for each in newest(drift, performance).as_json()]
    assert one.pop("subject") == "drift"
    assert one.pop("summary").startswith("1,000 rows: temp: values: KS .20, p 1e-09")
    assert one == json.loads(encode_report(drift))
    assert other.pop("subject") == "performance"
    assert other == json.loads(encode_performance(performance))


def test_what_is_not_asked_for_is_not_shown() -> None:
    reports = a_report(1), a_report(1, version="4"), a_report(1, model="loans")
    assert starts(newest(*reports, model="flights", version="4")) == [("4", "drift", "12:00")]
    assert len(starts(newest(*reports, model="flights"))) == 2


def test_a_name_that_no_report_has_is_answered_with_those_there_are() -> None:
    found = newest(a_report(1), a_report(1, model="loans"), model="noshow")
    assert found.without() == "no report of noshow; there are reports of flights/3, loans/3"
    assert found.mistaken
    many = newest(*(a_report(1, version=str(n)) for n in range(11)), version="99")
    assert (many.without() or "").startswith("no report of any model/99; there are reports of flights/0, ")
    assert (many.without() or "").endswith(" and 3 more")
    assert newest(a_report(1)).without() is None


def test_topics_without_a_report_are_no_mistake_of_whoever_asks() -> None:
    found = newest(model="flights")
    assert "no report yet: " in (found.without() or "")
    assert not found.mistaken
    assert list(found.lines()) == list(found.as_json()) == []


def test_what_is_thin_merged_harmless_or_a_shadows_is_said() -> None:
    assert line(replace(a_report(1), status="insufficient", rows=1, compared_rows=0)) == (
        "insufficient  1 row: too few to compare"
    )
    merged = replace(a_report(2), merged_windows=1, compared_rows=1800, shadow_rows=400)
    assert line(merged).endswith(
        "1,000 rows, 400 of them as a shadow (1,800 compared, with those of thin windows before): nothing alarms"
    )
    assert line(a_report(1, a_verdict(cause=UNIT, harmless=True))).endswith("(harmless)")
    assert line(a_report(1, *"abcde")).endswith("; and 2 more")
