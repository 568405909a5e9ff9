"""Joined: prediction events and labels of one model, brought together by prediction id. Pure; of any order.

Memory grows with the predictions in the range, a few hundred bytes each.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from contracts.events import PredictionEvent
from contracts.labels import Label
from contracts.schema import FeatureSchema
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


class Tally(NamedTuple):
    """What became of the records read. predictions: in the range, each counted once; labelled: of them with a truth.

    left_out: predictions inside a stretch that was to be left out; outside: before or behind the range; shadow: scored
    beside the one that answered; replaced: truths that a later label took the place of.
    """

    predictions: int
    labelled: int
    left_out: int
    outside: int
    shadow: int
    replaced: int


class Joined:
    """since, until: the range of event time, until not included. leave_out: stretches that are not wanted."""

    def __init__(self, model: str, since: datetime, until: datetime, leave_out: Sequence[Span] = ()) -> None:
        self._model, self._since, self._until, self._leave_out = model, since, until, tuple(leave_out)
        self._events: dict[str, PredictionEvent[Features]] = {}
        self._truths: dict[str, float] = {}
        self._passed: dict[str, set[str]] = {"left_out": set(), "outside": set(), "shadow": set()}
        self._replaced = 0

    def add_event(self, event: PredictionEvent[Features]) -> None:
        """A prediction that was answered; the same one read again changes nothing."""
        if event.model != self._model:
            return
        why = self._why_not(event)
        if why is None:
            self._events.setdefault(event.id, event)
        else:
            self._passed[why].add(event.id)

    def add_label(self, label: Label) -> None:
        """The truth about a prediction; of several the last one counts."""
        if label.model != self._model:
            return
        former = self._truths.get(label.prediction_id)
        self._replaced += former is not None and former != label.truth
        self._truths[label.prediction_id] = label.truth

    @property
    def tally(self) -> Tally:
        """So far."""
        labelled = sum(id_ in self._truths for id_ in self._events)
        passed = {why: len(ids) for why, ids in self._passed.items()}
        return Tally(len(self._events), labelled, **passed, replaced=self._replaced)

    def columns(self, schema: FeatureSchema) -> dict[str, list[Any]]:
        """The labelled predictions by column, in the order of their event times (of equal ones by id).

        A feature that an event does not have is None.
        """
        rows = sorted(
            (event for event in self._events.values() if event.id in self._truths),
            key=lambda event: (event.event_time, event.id),
        )
        name = {besides: column(besides, schema) for besides in BESIDES}
        return {
            name[PREDICTION_ID]: [event.id for event in rows],
            name[EVENT_TIME]: [event.event_time for event in rows],
            name[ENTITY]: [event.entity_id for event in rows],
            name[VERSION]: [event.model_version for event in rows],
            name[SCORE]: [event.score for event in rows],
            **{feature: [event.features.get(feature) for event in rows] for feature in schema.names},
            name[TRUTH]: [self._truths[event.id] for event in rows],
        }

    def _why_not(self, event: PredictionEvent[Features]) -> str | None:
        if event.role == "shadow":
            return "shadow"
        if not self._since <= event.event_time < self._until:
            return "outside"
        if any(span.start <= event.event_time and not _over(span, event.event_time) for span in self._leave_out):
            return "left_out"
        return None


def column(besides: str, schema: FeatureSchema) -> str:
    """What a column that is no feature is called: its name, with underscores in front while a feature is called so."""
    while besides in schema.names:
        besides = f"_{besides}"
    return besides


def _over(span: Span, moment: datetime) -> bool:
    return span.end is not None and moment >= span.end
