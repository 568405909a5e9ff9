"""A step of a model's versions, as it is on the topic. What is pure about promotion goes by these."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from contracts.model_events import ModelEvent


class Step(NamedTuple):
    """An event on the topic. at: when the broker took it, by its clock: the one clock that all promoters share."""

    event: ModelEvent
    at: datetime
