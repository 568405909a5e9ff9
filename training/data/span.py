"""Span: a stretch of event time."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Span(msgspec.Struct, frozen=True, order=True):
    """The end is not included; None: it goes on."""

    start: datetime
    end: datetime | None
