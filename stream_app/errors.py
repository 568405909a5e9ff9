"""Errors of the stream. Each text is one line that names what is wrong and says what to do.

StreamError
├── SettingsError      a STREAM_* setting that is wrong or missing
├── BrokerError        Kafka cannot be reached, or refused
│   └── NotFollowed    a topic is not followed; only a new start of the process mends it
├── TopicsError        a topic is missing or has another shape than it must have
├── StateError         a stored record that this version cannot read
├── MuteError          a mute that cannot be, or is not there
└── ReplayError        what is to be replayed, or an option of it, cannot be used
"""

from __future__ import annotations


class StreamError(Exception):
    """The stream cannot go on; the text is meant for the user."""


class SettingsError(StreamError):
    """A STREAM_* setting is wrong or missing."""


class BrokerError(StreamError):
    """Kafka cannot be reached, or refused what was asked."""


class NotFollowed(BrokerError):
    """A topic that must be known to its end is not followed: to ask again does not help."""


class TopicsError(StreamError):
    """A topic is missing or has another shape than it must have."""


class StateError(StreamError):
    """A stored record cannot be read, so no exact count can be taken up again."""


class MuteError(StreamError):
    """A mute that cannot be set, or one to be ended that is not there."""


class ReplayError(StreamError):
    """What is to be replayed, or an option of it, cannot be used."""
