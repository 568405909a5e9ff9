"""The topic `model-events` as training reads and writes it: the log of every step in the life of a model's versions."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.errors import InvalidMessage
from contracts.headers import MODEL_CHANGED, cloud_event
from contracts.model_events import ModelEvent, decode_model_event, encode_model_event
from contracts.times import moment
from contracts.topics import MODEL_EVENTS
from training.topics.baselines import SOURCE
from training.topics.broker import Broker, Message
from training.topics.steps import Step


@dataclass(frozen=True)
class ModelEvents:
    """timeout_seconds: of one sending or reading."""

    bootstrap: str
    topic_prefix: str
    timeout_seconds: float

    @property
    def topic(self) -> str:
        """The topic's full name."""
        return MODEL_EVENTS.named(self.topic_prefix)

    @property
    def where(self) -> str:
        """For people."""
        return f"topic {self.topic} at {self.bootstrap}"

    def check(self) -> None:
        """Raises PublishError when the broker or the topic is not there."""
        self._broker.send(self.topic, None)

    def write(self, event: ModelEvent) -> None:
        """Returns when all replicas have it. Raises PublishError."""
        headers = cloud_event(MODEL_CHANGED, event.id, SOURCE, time=event.at.isoformat())
        self._broker.send(self.topic, Message(event.model.encode(), encode_model_event(event), headers))

    def read(self, model: str) -> list[Step]:
        """The model's steps until now, in order, repeated ones once. What is no model event is left out: whoever wrote
        it is not one of us, and a promotion must not depend on it. Raises PublishError.
        """
        steps: list[Step] = []
        seen: set[str] = set()
        for record in self._broker.read(MODEL_EVENTS, self.topic_prefix):
            try:
                event = decode_model_event(record.value or b"")
            except InvalidMessage:
                continue
            if event.model == model and event.id not in seen:
                seen.add(event.id)
                steps.append(Step(event, moment(record.timestamp)))
        return steps

    @property
    def _broker(self) -> Broker:
        return Broker(self.bootstrap, self.timeout_seconds)
