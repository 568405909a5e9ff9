"""Which dead alerts are sent again, and in what order. Pure.

Every sink has its own dead letters, and each is given what it failed on, in the order of `drift-alerts`. Left out is
what an earlier replay settled, and what is outdated: a receiver with one state per incident has by now had, or will be
given by its running sink, the alert that came later. A raise after its resolve would open an incident for good there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime
from typing import NamedTuple

import msgspec

from contracts.alerts import DriftAlert, decode_alert
from contracts.dead_letters import DeadLetter
from contracts.errors import InvalidMessage

SOURCE = "/tidemark/stream_app/sink/"
"""What a sink's `ce_source` begins with; letters from before they named their sink are told by it."""


class Place(NamedTuple):
    """Where in `drift-alerts` an alert's record lies. One incident's alerts are on one partition."""

    partition: int
    offset: int


class DeadAlert(msgspec.Struct, frozen=True):
    """An alert that a sink gave up. body: its record as it lay in `drift-alerts`. written: when it was given up."""

    letter: str
    sink: str
    place: Place
    alert: DriftAlert
    body: bytes
    written: datetime


class Selection(msgspec.Struct, frozen=True):
    """What is asked for. ids: of an alert, an incident or a letter; empty: all. again: settled ones too."""

    sink: str | None = None
    since: datetime | None = None
    ids: tuple[str, ...] = ()
    again: bool = False


class Plan(msgspec.Struct, frozen=True):
    """send: by sink, in order. outdated: not to be sent. settled: how many were left out as settled before."""

    send: Mapping[str, Sequence[DeadAlert]]
    outdated: Sequence[DeadAlert]
    settled: int


def dead_alert(letter: DeadLetter, source: str, alerts: str, written: datetime) -> DeadAlert | str | None:
    """A letter's alert; or why it cannot be sent, in words; or None: it is about a record of another topic.

    source: the record's `ce_source`. alerts: full name of `drift-alerts`.
    """
    if letter.topic != alerts:
        return None
    sink = letter.sink or source.removeprefix(SOURCE)
    if letter.value is None:
        return "it holds no alert"
    try:
        alert = decode_alert(letter.value)
    except InvalidMessage as error:
        return str(error)
    place = Place(letter.partition, letter.offset)
    return DeadAlert(letter.id, sink, place, alert, letter.value, written)


def plan(
    dead: Iterable[DeadAlert],
    settled: Set[tuple[str, str]],
    newest: Mapping[str, Place],
    newest_only: Set[str],
    selection: Selection,
) -> Plan:
    """settled: (sink, letter). newest: by incident, where its last alert lies. newest_only: sinks whose receivers have
    one state per incident.
    """
    wanted: dict[tuple[str, str], DeadAlert] = {}  # a crash may have left two letters of one alert
    for one in dead:
        if _matches(one, selection):
            wanted[one.sink, one.letter] = one
    left = [one for key, one in wanted.items() if selection.again or key not in settled]
    left.sort(key=lambda one: (one.sink, one.place))
    send: dict[str, list[DeadAlert]] = {}
    outdated = []
    for one in left:
        if one.sink in newest_only and newest.get(one.alert.incident, one.place) > one.place:
            outdated.append(one)
        else:
            send.setdefault(one.sink, []).append(one)
    return Plan(send, outdated, len(wanted) - len(left))


def unknown_ids(dead: Iterable[DeadAlert], useless: Iterable[str], selection: Selection) -> list[str]:
    """The ids asked for that nothing dead has, among what else is asked for. useless: letters that hold no alert."""
    known = set(useless).union(*(_ids(one) for one in dead if _among(one, selection)))
    return [name for name in dict.fromkeys(selection.ids) if name not in known]


def _matches(one: DeadAlert, selection: Selection) -> bool:
    return _among(one, selection) and (not selection.ids or not _ids(one).isdisjoint(selection.ids))


def _among(one: DeadAlert, selection: Selection) -> bool:
    return (selection.sink is None or one.sink == selection.sink) and (
        selection.since is None or one.written >= selection.since
    )


def _ids(one: DeadAlert) -> set[str]:
    return {one.letter, one.alert.id, one.alert.incident}
