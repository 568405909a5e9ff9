"""A label joined with what was predicted: whether this truth, at this time, can be the truth about it. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from api.errors import Category, FieldError, LabelRefused
from api.labels.reading import LabelRequest
from api.receipts.receipt import Fact
from contracts.labels import Label
from contracts.times import moment


def join(label: LabelRequest, fact: Fact, now: datetime, skew: timedelta) -> Label:
    """fact: of its prediction. now: in UTC. skew: how far clocks may be apart.

    Raises LabelRefused: its truth is no truth of this prediction, or it is from the future or from before the event.
    """
    event_time = moment(fact.event_time_ms)
    return Label(
        prediction_id=label.prediction_id,
        event_time=event_time,
        labelled_at=_labelled_at(label.labelled_at, event_time, now, skew),
        model=fact.model,
        model_version=fact.version,
        score=fact.score,
        truth=_truth(label.truth, fact.decision),
        decision=fact.decision,
    )


def _labelled_at(given: datetime | None, event_time: datetime, now: datetime, skew: timedelta) -> datetime:
    time = now if given is None else given
    if time > now + skew:
        raise _refused("/labelled_at", "is in the future: check the clock or the unit of the sender", "label-time")
    if time < event_time - skew:
        told = f"is before the event that was predicted, {event_time:%Y-%m-%dT%H:%M:%SZ}: its truth cannot be known yet"
        raise _refused("/labelled_at", told, "label-time")
    return time.astimezone(UTC)


def _truth(given: bool | float, decision: bool | None) -> float:
    if decision is None and isinstance(given, bool):
        raise _refused("/truth", "must be a number: this model has no threshold, so it predicts no yes or no", "truth")
    if decision is not None and given not in (0, 1):
        raise _refused("/truth", "must be 0 or 1, or true or false: this model has a threshold", "truth")
    return float(given)


def _refused(pointer: str, detail: str, category: Category) -> LabelRefused:
    return LabelRefused(category, "The label does not fit its prediction.", (FieldError(pointer, detail, category),))
