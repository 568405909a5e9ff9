"""Joined: prediction events and labels of one model, brought together by prediction id. Pure.

All labels come first, then the events, so that only events that are wanted and have a truth are kept: memory grows with
the rows of the data set (docs/loop.md says how fast), and not with the traffic.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from contracts.events import PredictionEvent
from contracts.labels import Label
from contracts.schema import FeatureSchema
from training.collecting.complete import Complete
from training.data.span import Span

PREDICTION_ID, EVENT_TIME, ENTITY, VERSION, SCORE, TRUTH = (
    "prediction_id",
    "event_time",
    "entity_id",
    "model_version",
    "score",
    "label",
)
BESIDES = (PREDICTION_ID, EVENT_TIME, ENTITY, VERSION, SCORE, TRUTH)
"""Columns besides the features; one that is named like a feature gets underscores in front (`column`)."""

Features = dict[str, Any]


class Wanted(NamedTuple):
    """Which predictions. since, until: the range of event time, until not included. leave_out: stretches that are not
    wanted. complete: only windows that it holds, None: all.
    """

    model: str
    since: datetime
    until: datetime
    leave_out: Sequence[Span] = ()
    complete: Complete | None = None

    def why_not(self, version: str, moment: datetime) -> str | None:
        """A field of Tally that counts it, None where it is wanted."""
        if not self.since <= moment < self.until:
            return "outside"
        if any(span.start <= moment and (span.end is None or moment < span.end) for span in self.leave_out):
            return "left_out"
        if self.complete is not None and not self.complete.holds(version, moment):
            return "incomplete"
        return None


class Tally(NamedTuple):
    """What became of the records read. predictions: that were wanted; labelled: of them with a truth, each once.

    left_out: predictions inside a stretch that was to be left out; outside: before or behind the range; incomplete: in
    windows whose labels are not complete; shadow: scored beside the one that answered; replaced: truths that a later
    label took the place of. A record that is on the topic twice is one row; where it is none, it counts twice.
    """

    predictions: int
    labelled: int
    left_out: int
    outside: int
    incomplete: int
    shadow: int
    replaced: int


class _Row(NamedTuple):
    """In the order of rows. values: of the features, in the schema's order."""

    event_time: datetime
    id: str
    entity_id: str | None
    version: str
    score: float
    values: tuple[Any, ...]


class Joined:
    """schema: whose features are the columns."""

    def __init__(self, wanted: Wanted, schema: FeatureSchema) -> None:
        self._wanted, self._schema = wanted, schema
        self._truths: dict[str, float] = {}
        self._rows: dict[str, _Row] = {}
        self._counts: Counter[str] = Counter()

    def add_label(self, label: Label) -> None:
        """The truth about a prediction; of several the last one counts. Labels come before events."""
        wanted = self._wanted
        if label.model != wanted.model or wanted.why_not(label.model_version, label.event_time) is not None:
            return
        former = self._truths.get(label.prediction_id)
        self._counts["replaced"] += former is not None and former != label.truth
        self._truths[label.prediction_id] = label.truth

    def add_event(self, event: PredictionEvent[Features]) -> None:
        """A prediction that was answered; a row that is read again changes nothing."""
        if event.model != self._wanted.model:
            return
        shadow = event.role == "shadow"
        why = "shadow" if shadow else self._wanted.why_not(event.model_version, event.event_time)
        if why is not None or event.id not in self._truths:
            self._counts[why or "unlabelled"] += 1
        elif event.id not in self._rows:
            values = tuple(_kept(event.features.get(name)) for name in self._schema.names)
            shared = event.entity_id, sys.intern(event.model_version), event.score
            self._rows[event.id] = _Row(event.event_time, event.id, *shared, values)

    @property
    def tally(self) -> Tally:
        """So far."""
        labelled = len(self._rows)
        others = {name: self._counts[name] for name in Tally._fields[2:]}
        return Tally(labelled + self._counts["unlabelled"], labelled, **others)

    def columns(self) -> dict[str, list[Any]]:
        """The labelled predictions by column, in the order of their event times (of equal ones by id).

        A feature that an event does not have is None.
        """
        rows = sorted(self._rows.values(), key=lambda row: row[:2])
        name = {besides: column(besides, self._schema) for besides in BESIDES}
        return {
            name[PREDICTION_ID]: [row.id for row in rows],
            name[EVENT_TIME]: [row.event_time for row in rows],
            name[ENTITY]: [row.entity_id for row in rows],
            name[VERSION]: [row.version for row in rows],
            name[SCORE]: [row.score for row in rows],
            **{feature: [row.values[at] for row in rows] for at, feature in enumerate(self._schema.names)},
            name[TRUTH]: [self._truths[row.id] for row in rows],
        }


def column(besides: str, schema: FeatureSchema) -> str:
    """What a column that is no feature is called: its name, with underscores in front while a feature is called so."""
    while besides in schema.names:
        besides = f"_{besides}"
    return besides


def _kept(value: Any) -> Any:
    """Levels repeat: each is kept once."""
    return sys.intern(value) if isinstance(value, str) else value
