"""The log sink: one JSON line per alert on standard output, for whatever collects a process's output."""

from __future__ import annotations

import sys
from typing import ClassVar, Self, TextIO

from pydantic_settings import BaseSettings

from contracts.alerts import DriftAlert, encode_alert
from stream_app.alerting.errors import Retry


class LogSink:
    """Needs no settings. The process's own log goes to standard error, so the lines stay clean."""

    name: ClassVar[str] = "log"
    settings: ClassVar[type[BaseSettings] | None] = None
    newest_only: ClassVar[bool] = False
    destination = "standard output"

    def __init__(self, out: TextIO) -> None:
        self._out = out

    @classmethod
    def from_environment(cls) -> Self:
        return cls(sys.stdout)

    async def deliver(self, alert: DriftAlert, body: bytes) -> None:
        """Written anew from the alert: a body of a foreign writer might hold line breaks."""
        try:
            self._out.write(encode_alert(alert).decode() + "\n")
            self._out.flush()
        except OSError as error:
            raise Retry(f"standard output cannot be written: {error.strerror}") from error

    async def close(self) -> None:
        """Standard output stays open."""
