"""Which dead alerts a replay sends, and in what order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.alerts import DriftAlert
from contracts.dead_letters import DeadLetter
from contracts.topics import DEAD_LETTERS, RESENT_LETTERS
from stream_app.alerting.command import sink as commands
from stream_app.alerting.replaying import SOURCE, DeadAlert, Place, Plan, Selection, dead_alert, plan, unknown_ids
from stream_app.alerting.sink import SINKS
from tests.alerting import an_alert
from tests.builders import NOON
from tests.fakes import FakeRecord
from tests.incidents import LIFE

EVERYTHING = Selection()


def letter(offset: int, alert: DriftAlert, **changed: Any) -> DeadLetter:
    return DeadLetter.of(FakeRecord.of(offset, alert), "undeliverable", "410", **{"sink": "webhook"} | changed)


def dead(offset: int, alert: DriftAlert | None = None, sink: str = "webhook", hours: int = 0) -> DeadAlert:
    one = dead_alert(
        letter(offset, alert or an_alert(offset), sink=sink), "", "drift-alerts", NOON + timedelta(hours=hours)
    )
    assert isinstance(one, DeadAlert)
    return one


def planned(*alerts: DeadAlert, selection: Selection = EVERYTHING, **changed: Any) -> Plan:
    arguments: dict[str, Any] = {"settled": set(), "newest": {}, "newest_only": {"pagerduty"}} | changed
    return plan(alerts, selection=selection, **arguments)


def offsets(plan: Plan) -> dict[str, list[int]]:
    return {sink: [one.place.offset for one in alerts] for sink, alerts in plan.send.items()}


def test_a_letter_names_its_sink_and_one_from_before_is_told_by_its_source() -> None:
    old = letter(7, LIFE[0], sink=None)
    assert [
        one.sink
        for one in (
            dead_alert(letter(7, LIFE[0]), "/elsewhere", "drift-alerts", NOON),
            dead_alert(old, f"{SOURCE}slack", "drift-alerts", NOON),
        )
        if isinstance(one, DeadAlert)
    ] == ["webhook", "slack"]


def test_an_id_is_of_an_alert_an_incident_or_a_letter_and_any_other_is_unknown() -> None:
    one, other = dead(1), dead(2, sink="slack", hours=1)
    wanted = (one.letter, one.alert.id, one.alert.incident, other.letter, "broken", "nope", "nope")
    assert unknown_ids([one, other], ["broken"], Selection(ids=wanted)) == ["nope"]
    assert unknown_ids([one, other], [], Selection(ids=(one.letter, other.letter), sink="slack")) == [one.letter]
    late = Selection(ids=(one.letter, other.letter), since=NOON + timedelta(hours=1))
    assert unknown_ids([one, other], [], late) == [one.letter]
    assert unknown_ids([one], [], EVERYTHING) == []


def test_a_letter_about_another_topics_record_is_nothing_to_a_replay() -> None:
    assert dead_alert(letter(7, LIFE[0]), "", "blue.drift-alerts", NOON) is None


@pytest.mark.parametrize("value", [None, b"\xff", b"{}"])
def test_a_letter_without_a_readable_alert_says_why_it_cannot_be_sent(value: bytes | None) -> None:
    found = dead_alert(DeadLetter.of(FakeRecord(7, value), "unreadable", "no"), "", "drift-alerts", NOON)
    assert isinstance(found, str)
    assert found


@given(st.permutations(range(6)), st.sets(st.integers(0, 5)))
def test_each_sink_gets_what_it_failed_on_in_the_order_of_the_alerts_and_nothing_that_is_settled(
    order: list[int], settled: set[int]
) -> None:
    alerts = [dead(offset, sink="slack" if offset % 3 == 0 else "webhook") for offset in order]
    found = planned(*alerts, settled={(one.sink, one.letter) for one in alerts if one.place.offset in settled})
    left = [offset for offset in range(6) if offset not in settled]
    expected = {
        "slack": [offset for offset in left if offset % 3 == 0],
        "webhook": [offset for offset in left if offset % 3],
    }
    assert offsets(found) == {sink: some for sink, some in expected.items() if some}
    assert found.settled == len(settled)


def test_two_letters_of_one_alert_are_sent_once() -> None:
    assert offsets(planned(dead(3), dead(3))) == {"webhook": [3]}


def test_what_is_settled_is_sent_again_only_when_that_is_asked_for() -> None:
    settled = {("webhook", dead(3).letter)}
    assert offsets(planned(dead(3), dead(4), settled=settled)) == {"webhook": [4]}
    assert offsets(planned(dead(3), settled=settled, selection=Selection(again=True))) == {"webhook": [3]}


def test_an_alert_that_is_settled_at_one_sink_is_not_settled_at_another() -> None:
    both = dead(3), dead(3, sink="slack")
    assert offsets(planned(*both, settled={("slack", both[0].letter)})) == {"webhook": [3]}


@pytest.mark.parametrize(
    ("selection", "chosen"),
    [
        (Selection(sink="slack"), {"slack": [5]}),
        (Selection(since=NOON + timedelta(hours=1)), {"webhook": [4], "slack": [5]}),
        (Selection(ids=(an_alert(4).id,)), {"webhook": [4]}),
        (Selection(ids=(an_alert(3).incident, "drift-alerts/0/5")), {"webhook": [3], "slack": [5]}),
        (Selection(ids=("nobody",)), {}),
    ],
)
def test_a_selection_is_by_sink_by_time_and_by_id(selection: Selection, chosen: dict[str, list[int]]) -> None:
    alerts = dead(3), dead(4, hours=1), dead(5, sink="slack", hours=2)
    assert offsets(planned(*alerts, selection=selection)) == chosen


def test_where_an_incident_is_one_state_only_its_newest_alert_is_sent() -> None:
    """A raise that came after its resolve would open an incident that nobody ends."""
    raised, resolved = LIFE[0], LIFE[-1]
    newest = {raised.incident: Place(0, 9)}
    lone = planned(dead(3, raised, "pagerduty"), newest=newest)
    assert (offsets(lone), [one.place.offset for one in lone.outdated]) == ({}, [3])
    both = planned(dead(3, raised, "pagerduty"), dead(9, resolved, "pagerduty"), newest=newest)
    assert (offsets(both), [one.place.offset for one in both.outdated]) == ({"pagerduty": [9]}, [3])


def test_where_every_alert_is_a_message_all_are_sent() -> None:
    assert offsets(planned(dead(3, LIFE[0]), newest={LIFE[0].incident: Place(0, 9)})) == {"webhook": [3]}


def test_an_incident_whose_alerts_retention_took_away_is_sent() -> None:
    assert offsets(planned(dead(3, LIFE[0], "pagerduty"))) == {"pagerduty": [3]}


def test_no_sink_has_the_name_of_a_command_beside_the_sinks() -> None:
    named = {(command.name or command.callback.__name__) for command in commands.registered_commands}  # type: ignore[union-attr]
    assert named == {"run", "replay"}
    assert named.isdisjoint(sink.name for sink in SINKS)


def test_what_was_sent_again_is_remembered_longer_than_its_letter_can_last() -> None:
    """A broker deletes whole segments: a letter may lie there for as long again as its segment takes to fill."""
    segment = 7 * 24 * 3600 * 1000  # Kafka's default of segment.ms
    assert (RESENT_LETTERS.retention_ms or 0) > (DEAD_LETTERS.retention_ms or 0) + segment
