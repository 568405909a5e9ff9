"""What is told of a data set that was collected: enough to know what a version learnt."""

from __future__ import annotations

from datetime import timedelta

from contracts.model_events import decode_model_event, encode_model_event
from tests.builders import NOON
from training.collecting.collect import Collected
from training.collecting.told import collected_event
from training.data.span import Span

HOUR = timedelta(hours=1)
FOUND = Collected(
    model="flights",
    since=NOON,
    until=NOON + 9 * HOUR,
    leave_out=(Span(NOON + HOUR, NOON + 2 * HOUR),),
    predictions=9000,
    labelled=7000,
    coverage=0.7778,
    left_out=1000,
    outside=5,
    incomplete=600,
    complete_only=True,
    shadow=0,
    replaced=2,
    unreadable=0,
    rows=27000,
    base_rows=20000,
    first=NOON,
    last=NOON + 8 * HOUR,
    digest="d1",
)


def test_the_event_has_digest_rows_and_the_range_and_survives_the_wire() -> None:
    event = collected_event(FOUND, id_="collected/w/d1", at=NOON, champion="3", by="watch", work="w")
    assert decode_model_event(encode_model_event(event)) == event
    assert (event.kind, event.model, event.version, event.by) == ("collected", "flights", "3", "watch")
    assert event.reason == "7,000 labelled predictions of 9,000, 27,000 rows"
    assert {name: event.details[name] for name in ("work", "digest", "rows", "base_rows", "left_out")} == {
        "work": "w",
        "digest": "d1",
        "rows": 27000,
        "base_rows": 20000,
        "left_out": 1000,
    }
    assert (event.details["since"], event.details["last"]) == (NOON.isoformat(), (NOON + 8 * HOUR).isoformat())
    assert (event.details["coverage"], event.details["incomplete"]) == (0.7778, 600)
    assert event.details["leave_out"] == [f"{(NOON + HOUR).isoformat()}/{(NOON + 2 * HOUR).isoformat()}"]


def test_a_data_set_of_nobodys_retraining_says_so() -> None:
    assert collected_event(FOUND, id_="x", at=NOON, champion="3", by="ann").details["work"] is None
