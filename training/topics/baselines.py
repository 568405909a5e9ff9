"""Publish a baseline to the topic `baselines`, from where every stream worker learns it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from contracts.baseline import Baseline
from contracts.headers import BASELINE_PUBLISHED, cloud_event
from contracts.topics import BASELINES
from training.errors import PublishError
from training.topics.broker import Broker, Message

SOURCE = "/tidemark/training"
_RETRY_SECONDS = 0.5


@dataclass(frozen=True)
class Publisher:
    """Where baselines are published.

    timeout_seconds: of connecting and sending together. wait_seconds: how long a broker or a topic that is not there
    yet is waited for before publishing fails; more than 0 also means that check() asks for nothing.
    """

    bootstrap: str
    topic_prefix: str
    timeout_seconds: float
    wait_seconds: float = 0.0

    @property
    def topic(self) -> str:
        """The topic's full name."""
        return BASELINES.named(self.topic_prefix)

    def check(self) -> None:
        """Raises PublishError when the broker or the topic is not there: before minutes of training, not after."""
        if not self.wait_seconds:
            self._send(None)

    def publish(self, baseline: Baseline) -> None:
        """Returns when all replicas have it. Raises PublishError. Repeats are harmless: the newest of a key counts."""
        id_, when = f"{baseline.key}/{baseline.digest}", baseline.created.isoformat()
        headers = cloud_event(BASELINE_PUBLISHED, id_, SOURCE, time=when)
        message = Message(baseline.key.encode(), baseline.to_bytes(), headers)
        deadline = time.monotonic() + self.wait_seconds
        while True:
            try:
                return self._send(message)
            except PublishError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_SECONDS)

    def _send(self, message: Message | None) -> None:
        largest = int(BASELINES.config["max.message.bytes"])
        Broker(self.bootstrap, self.timeout_seconds).send(self.topic, message, largest)
