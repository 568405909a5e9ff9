"""Which windows are learnt: those whose labels are complete, by the newest revision of their report."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from contracts.performance import PerformanceReport
from tests.builders import NOON
from tests.performance import a_covered_window
from training.collecting.complete import Complete


def complete(*reports: PerformanceReport) -> Complete:
    found = Complete("flights")
    for report in reports:
        found.add(report)
    return found


@pytest.mark.parametrize(
    ("changes", "learnt"),
    [
        ({}, True),
        ({"labelled": 95}, True),
        ({"labelled": 94}, False),
        ({"labelled": 40, "final": True}, True),
        ({"predictions": None}, False),
        ({"predictions": None, "final": True}, True),
        ({"model": "other"}, False),
        ({"version": "2"}, False),
    ],
)
def test_a_window_is_complete_when_nearly_all_is_labelled_or_nothing_comes_any_more(
    changes: dict[str, Any], learnt: bool
) -> None:
    assert complete(a_covered_window(0, **changes)).holds("1", NOON) is learnt


def test_of_several_revisions_the_highest_counts() -> None:
    reports = [
        a_covered_window(0, labelled=50, revision=1),
        a_covered_window(0, revision=3),
        a_covered_window(0, revision=2),
    ]
    assert all(complete(*order).holds("1", NOON) for order in permutations(reports))
    again = a_covered_window(0, labelled=50, revision=4)  # predictions that were found late
    assert not complete(*reports, again).holds("1", NOON)


def test_a_window_holds_its_start_and_not_its_end_and_what_has_no_report_is_in_none() -> None:
    found = complete(a_covered_window(0), a_covered_window(2))
    moments = (-1, 0, 59, 60, 90, 120, 179, 180)
    assert [found.holds("1", NOON + timedelta(minutes=at)) for at in moments] == [
        *(False, True, True, False, False, True, True, False)
    ]
    assert not complete().holds("1", NOON)
