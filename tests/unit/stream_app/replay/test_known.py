"""From when on a version has which baseline."""

from __future__ import annotations

from stream_app.replay.known import ALWAYS, Change, KnownBaselines
from tests.builders import a_baseline

ONE, AGAIN, TWO = a_baseline(rows=60), a_baseline(rows=60, seed=7), a_baseline(rows=60, version="2")
V1, V2 = ("flights", "1"), ("flights", "2")


def test_the_first_baseline_of_a_version_counts_from_the_beginning_for_its_record_may_be_younger_than_the_events() -> (
    None
):
    known = KnownBaselines([Change(1000, V1, ONE), Change(2000, V2, TWO)])
    assert known.at(ALWAYS) == ({V1: ONE, V2: TWO}, None)


def test_a_further_one_counts_from_its_own_time() -> None:
    known = KnownBaselines([Change(1000, V1, ONE), Change(2000, V1, AGAIN)])
    assert known.at(1999) == ({V1: ONE}, 2000)
    assert known.at(2000) == ({V1: AGAIN}, None)
    assert known.by_digest == {ONE.digest: ONE, AGAIN.digest: AGAIN}


def test_strictly_no_version_is_known_before_its_record() -> None:
    known = KnownBaselines([Change(1000, V1, ONE), Change(2000, V2, TWO)], strict=True)
    assert known.at(999) == ({}, 1000)
    assert known.at(1000) == ({V1: ONE}, 2000)
    assert known.at(5000) == ({V1: ONE, V2: TWO}, None)


def test_a_tombstone_makes_a_version_unknown_from_then_on() -> None:
    known = KnownBaselines([Change(1000, V1, ONE), Change(2000, V1, None)])
    assert known.at(1999)[0] == {V1: ONE}
    assert known.at(2000)[0] == {}


def test_a_baseline_that_is_given_stands_against_all_that_the_topic_says_of_its_version() -> None:
    known = KnownBaselines([Change(1000, V1, ONE), Change(2000, V1, None), Change(3000, V2, TWO)], given={V1: AGAIN})
    assert known.at(9999)[0] == {V1: AGAIN, V2: TWO}
    assert ONE.digest not in known.by_digest


def test_the_order_of_the_topic_counts_where_a_producers_clock_went_back() -> None:
    known = KnownBaselines([Change(1000, V1, ONE), Change(3000, V1, AGAIN), Change(2000, V1, ONE)])
    assert known.at(2500)[0] == {V1: ONE}
    assert known.at(3000) == ({V1: ONE}, None)
