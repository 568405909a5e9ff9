"""Errors of the sinks.

SinkError
├── SinkSettingsError   a setting, or the name of a sink, that is wrong or missing
├── DeliveryError       what a sink may raise from `deliver`
│   ├── Retry           not now: the receiver is away, busy, or asks to come again
│   └── Refused         never: the receiver will not take this alert
└── NotAcknowledged     Kafka did not confirm a dead letter
"""

from __future__ import annotations


class SinkError(Exception):
    """A sink cannot go on, or one delivery failed."""


class SinkSettingsError(SinkError):
    """A setting or a sink's name is wrong; the text names it and says what to do, and holds no secret."""


class DeliveryError(SinkError):
    """One attempt to deliver failed. The text goes into logs and dead letters: it must hold no secret."""


class Retry(DeliveryError):
    """Worth another attempt. after: seconds the receiver asked to wait, None when it did not say."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class Refused(DeliveryError):
    """Another attempt would end the same."""


class NotAcknowledged(SinkError):
    """Kafka did not confirm a record."""
