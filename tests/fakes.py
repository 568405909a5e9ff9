"""Stand-ins for what a unit test does not start: a sink, the dead letters, a clock, a Kafka record."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Self

from contracts.alerts import DriftAlert, encode_alert
from contracts.dead_letters import DeadLetter
from stream_app.alerting.errors import NotAcknowledged


class ManualClock:
    """Seconds that pass only when somebody waits."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def pause(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now += seconds
        return False

    async def pause_unless(self, stopping: asyncio.Event, seconds: float) -> bool:
        return stopping.is_set() or await self.pause(seconds)


class RecordingSink:
    """Takes alerts, or raises the given errors first, one per attempt."""

    name: ClassVar[str] = "recording"
    newest_only: ClassVar[bool] = False
    destination = "memory"

    def __init__(self, errors: Sequence[Exception] = ()) -> None:
        self.errors = list(errors)
        self.attempts: list[str] = []
        self.delivered: list[tuple[str, bytes]] = []

    @classmethod
    def from_environment(cls) -> Self:
        return cls()

    async def deliver(self, alert: DriftAlert, body: bytes) -> None:
        self.attempts.append(alert.id)
        if self.errors:
            raise self.errors.pop(0)
        self.delivered.append((alert.id, body))

    async def close(self) -> None: ...


class RecordingBox:
    """Dead letters; refuses the first `failures` of them as an absent Kafka would."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.letters: list[DeadLetter] = []

    async def put(self, letter: DeadLetter) -> None:
        if self.failures:
            self.failures -= 1
            raise NotAcknowledged("nobody there")
        self.letters.append(letter)


class FakeRecord(NamedTuple):
    """A record of `drift-alerts`."""

    offset: int
    value: bytes | None
    key: bytes | None = b"flights"
    topic: str = "drift-alerts"
    partition: int = 0
    timestamp: int = 1_700_000_000_000

    @classmethod
    def of(cls, offset: int, alert: DriftAlert) -> FakeRecord:
        return cls(offset, encode_alert(alert), alert.model.encode())


def half() -> float:
    """A random number that is known."""
    return 0.5
