"""What the command line asks for, as mutes; and what is said of what cannot be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contracts.mutes import Mute
from stream_app.errors import MuteError, StreamError
from stream_app.muting.order import Subject, ended, mute_of, standing, unknown

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FLIGHTS, DISTANCE = Subject("flights"), Subject("flights", "3", "distance")
FEATURES = {
    ("flights", "3"): ("distance", "temp"),
    ("flights", "4"): ("distance", "dewp"),
    ("payments", "1"): ("amount",),
}


def ordered(subject: Subject = FLIGHTS, **words: str) -> Mute:
    options = {"until": None, "for_": None, "since": None, "reason": "", **words}
    return mute_of(subject, **options, now=NOW)


def known(*mutes: Mute) -> dict[bytes, Mute]:
    return {mute.key: mute for mute in mutes}


def test_a_length_counts_from_now_and_a_time_is_taken_as_it_is() -> None:
    assert ordered(for_="90m") == Mute(model="flights", since=NOW, until=NOW + 1.5 * HOUR)
    assert ordered(until="2026-02-01T01:00:00+01:00").until == NOW + 12 * HOUR
    assert ordered(DISTANCE, for_="2h", reason="mended") == Mute(
        model="flights", version="3", feature="distance", since=NOW, until=NOW + 2 * HOUR, reason="mended"
    )


def test_windows_of_the_past_are_muted_where_their_beginning_is_named() -> None:
    mute = ordered(since="2013-02-08T00:00:00Z", until="2013-02-10T00:00:00Z")
    assert (mute.since.year, mute.until.day) == (2013, 10)
    assert ordered(since="2013-02-08T00:00:00Z", for_="1d").until == datetime(2013, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({}, "--until and --for: give one of the two"),
        ({"for_": "2h", "until": "2026-02-01T00:00:00Z"}, "--until and --for: give one of the two"),
        ({"until": "2026-01-31T11:59:59Z"}, "--until 2026-01-31T11:59:59Z: that is past, it is 2026-01-31T12:00:00Z"),
        ({"until": "2026-01-31T12:00:00Z"}, "that is past"),
        ({"until": "tomorrow"}, "--until tomorrow: not a time; write it as"),
        ({"until": "2026-02-01T00:00:00"}, "a time without a zone"),
        ({"until": "0001-01-01T00:00:00+12:00"}, "--until"),
        ({"for_": "2 hours"}, "--for 2 hours: a duration is a number and a unit"),
        ({"for_": "0s"}, "--for 0s: a mute must last"),
        ({"for_": "9999999999d"}, "--for 9999999999d: too long"),
        ({"since": "2026-02-02T00:00:00Z", "until": "2026-02-01T00:00:00Z"}, "not after the beginning"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_that_names_the_option(words: dict[str, str], said: str) -> None:
    with pytest.raises(StreamError) as caught:
        ordered(**words)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mute_that_is_ended_covers_what_it_covered_until_now_and_nothing_more() -> None:
    mute = ordered(for_="8h")
    over = ended(FLIGHTS, known(mute), NOW + HOUR)
    assert (over.key, over.since, over.until) == (mute.key, mute.since, NOW + HOUR)
    assert over.covers("flights", "3", NOW + HOUR)
    assert not over.covers("flights", "3", NOW + HOUR + timedelta(milliseconds=1))


def test_a_mute_that_was_ended_cannot_be_ended_again_and_covers_what_it_did() -> None:
    over = ended(FLIGHTS, known(ordered(for_="8h")), NOW + HOUR)
    for later in (NOW + HOUR, NOW + 2 * HOUR):
        with pytest.raises(MuteError, match=r"^flights is not muted: nothing is$"):
            ended(FLIGHTS, known(over), later)


def test_a_mute_that_was_ended_before_its_time_is_marked_and_a_new_one_in_its_place_is_not() -> None:
    assert ended(FLIGHTS, known(ordered(for_="8h")), NOW + HOUR).ended
    assert not ordered(for_="8h").ended


def test_a_mute_that_is_ended_before_it_begins_or_that_is_about_the_past_covers_nothing() -> None:
    to_come = ordered(since="2026-02-02T00:00:00Z", for_="1d")
    past = ordered(since="2013-02-08T00:00:00Z", for_="1d")
    for mute in (to_come, past):
        over = ended(FLIGHTS, known(mute), NOW)
        assert over.until == over.since
        with pytest.raises(MuteError, match="flights is not muted: nothing is"):
            ended(FLIGHTS, known(over), NOW)


def test_what_is_not_muted_cannot_be_unmuted_and_what_is_muted_is_named() -> None:
    with pytest.raises(MuteError, match=r"^distance of flights/3 is not muted: nothing is$"):
        ended(DISTANCE, {}, NOW)
    with pytest.raises(MuteError, match="is not muted: there is flights until 2026-01-31T14:00:00Z"):
        ended(DISTANCE, known(ordered(for_="2h")), NOW)


def test_a_mute_of_a_version_and_one_of_the_model_are_two() -> None:
    mutes = known(ordered(for_="2h"), ordered(Subject("flights", "3"), for_="3h"), ordered(DISTANCE, for_="1h"))
    assert [mute.subject for mute in standing(mutes.values(), NOW)] == ["distance of flights/3", "flights", "flights/3"]
    assert [mute.subject for mute in standing(mutes.values(), NOW + 2 * HOUR)] == ["flights/3"]


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        (FLIGHTS, None),
        (DISTANCE, None),
        (Subject("flights", None, "dewp"), None),
        (Subject("flight"), "no model 'flight' has a baseline yet; there are: flights, payments"),
        (Subject("flights", "5"), "no version '5' of flights has a baseline yet; there are: 3, 4"),
        (Subject("flights", "3", "dewp"), "no feature 'dewp' of flights is watched yet; there are: distance, temp"),
        (Subject("flights", "3", "performance:auc"), None),
        (
            Subject("flights", "3", "performance:acu"),
            "no feature 'performance:acu' of flights is watched yet; there are: "
            + ", ".join(sorted(FEATURES["flights", "3"])),
        ),
    ],
)
def test_a_name_that_nobody_knows_is_told(subject: Subject, said: str | None) -> None:
    assert unknown(subject, FEATURES) == said


def test_a_long_list_of_names_is_cut() -> None:
    many = {("flights", "3"): [f"feature{i:02}" for i in range(40)]}
    assert (unknown(DISTANCE, many) or "").endswith("feature11 and 28 more")
    assert "there are: none" in (unknown(FLIGHTS, {}) or "")
