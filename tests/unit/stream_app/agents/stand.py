"""The outside of the agents, in memory: a consumer group, a store, a producer, baselines, a clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from datetime import datetime
from math import inf
from typing import Any, NamedTuple

import msgspec

from contracts.baseline import Baseline
from contracts.dead_letters import DeadLetter, decode_dead_letter
from contracts.events import PredictionEvent, encode_event
from contracts.headers import Headers
from contracts.mutes import Mute, in_force
from contracts.partials import PartialMessage, decode_partial
from stream_app.agents.owned import Owned
from stream_app.agents.patience import Clock
from stream_app.agents.publishing import Address, Addresses, Publisher
from stream_app.alerting.policy_state import PolicyState
from stream_app.errors import NotFollowed
from stream_app.telemetry import Telemetry
from stream_app.windowing.tumbling import WindowConfig
from tests.builders import NOON_MS

ADDRESSES = Addresses(
    partials=Address("window-partials", 4),
    reports=Address("drift-reports", 1),
    alerts=Address("drift-alerts", 1),
    dead_letters=Address("dead-letters", 1),
)


class Record(NamedTuple):
    offset: int
    value: bytes | None
    key: bytes | None = None
    topic: str = "predictions"
    partition: int = 0
    timestamp: int = NOON_MS


class FakeBatch(msgspec.Struct, frozen=True):
    records: Sequence[Record]
    epoch: int = 0
    partition: int = 0
    taken: float = inf
    writes: list[asyncio.Future[object]] = []

    @property
    def first_offset(self) -> int:
        return self.records[0].offset

    @property
    def offset(self) -> int:
        return self.records[-1].offset

    @classmethod
    def of(cls, events: Iterable[PredictionEvent[Any] | bytes], first: int = 0, **more: Any) -> FakeBatch:
        values = [event if isinstance(event, bytes) else encode_event(event) for event in events]
        return cls([Record(first + i, value) for i, value in enumerate(values)], **more)


class FakeSource:
    """One partition, 0, of two; tests set its attributes.

    Of its end it knows what aiokafka does: a fetch is sent when the answer before it was taken in; the broker answers
    fetch_seconds later with the end that the log has then; that is noted with the time at which it is taken in: at
    once, or when a process that was `stopped` runs again.
    """

    def __init__(self, time: FakeClock | None = None) -> None:
        self.fetch_seconds = 0.2
        self._time = time or FakeClock()
        self._asked = self._runs_since = self._time.now
        self._answer: tuple[int, int] | None = None
        self._ends = [(self._asked, 0)]
        self.reachable = True
        self.epoch, self.generation, self.count = 0, 7, 2
        self.settled, self.stopping = True, False
        self.partitions = frozenset({0})
        self.log_start, self.began_at = 0, None
        self.committed_at: int | None = None
        self.rereads: list[tuple[int, int]] = []
        self.abandoned: list[int] = []
        self.is_drained = False
        self.led_by: int | None = 1

    def append(self, end: int, ago: float = 0.0) -> None:
        """The log ends there since so many seconds."""
        self._take_in()
        self._ends.append((self._time.now - ago, end))

    def stopped(self, seconds: float) -> None:
        """SIGSTOP, and after so long SIGCONT."""
        self._take_in()
        self._time.now += seconds
        self._runs_since = self._time.now

    def _take_in(self) -> None:
        if not self.reachable:
            self._asked = self._time.now
        while (given := self._asked + self.fetch_seconds) <= self._time.now:
            self._asked = max(given, self._runs_since)
            self._answer = self._time.wall_at(self._asked), [end for at, end in self._ends if at <= given][-1]

    @property
    def answer_seconds(self) -> float:
        return self.fetch_seconds + 2.8

    def answered(self, partition: int) -> int | None:
        self._take_in()
        return None if self._answer is None else self._answer[0]

    def leader(self, partition: int) -> int | None:
        return self.led_by

    def drained(self, partition: int) -> bool:
        return self.is_drained

    def began(self, partition: int) -> int | None:
        return self.began_at

    def end(self, partition: int) -> int | None:
        self._take_in()
        return None if self._answer is None else self._answer[1]

    def committed(self, partition: int) -> int | None:
        return self.committed_at

    async def start(self, partition: int) -> int:
        return self.log_start

    async def reread_from(self, partition: int, offset: int) -> None:
        self.rereads.append((partition, offset))

    def abandon(self, partition: int) -> None:
        self.abandoned.append(partition)


class FakeStore:
    """`writes` has the changelog in order; what is put while `deaf` is True is never acknowledged.

    The next `refusals` writes are refused, and taken back, as StateTable does.
    """

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.writes: list[tuple[int, bytes, bytes | None]] = []
        self.deaf, self.refusals = False, 0

    def stored(self) -> Iterable[tuple[bytes, bytes]]:
        return list(self.values.items())

    def put(self, partition: int, key: bytes, value: bytes | None) -> asyncio.Future[object]:
        ack = asyncio.get_running_loop().create_future()
        if self.refusals:
            self.refusals -= 1
            ack.set_exception(ConnectionError("the changelog refuses"))
            return ack
        self.writes.append((partition, key, value))
        if value is None:
            self.values.pop(key, None)
        else:
            self.values[key] = value
        if not self.deaf:
            ack.set_result(None)
        return ack


class Sent(NamedTuple):
    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: Headers


class FakeOutlet:
    """Records what is sent. The first sends to a topic in `refusals` fail, as often as it says there, and all that have
    a key to one in `refuses_keyed`.

    What has a key and goes to a topic in `slow` is acknowledged when the test says so, and so is what has none while
    `slow_beats`: its futures are in `waiting`.
    """

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.refusals: dict[str, int] = {}
        self.before_ack: dict[str, Any] = {}
        self.slow: set[str] = set()
        self.slow_beats = False
        self.refuses_keyed: set[str] = set()
        self.waiting: list[asyncio.Future[object]] = []

    async def publish(
        self, topic: str, value: bytes, *, key: bytes | None, partition: int, headers: Headers
    ) -> Awaitable[object]:
        if self.refusals.get(topic, 0):
            self.refusals[topic] -= 1
            raise ConnectionError("nobody there")
        if topic in self.refuses_keyed and key is not None:
            raise ConnectionError("too large")
        self.sent.append(Sent(topic, partition, key, value, headers))
        if topic in self.before_ack:
            self.before_ack[topic]()
        ack: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        if self.slow_beats if key is None else topic in self.slow:
            self.waiting.append(ack)
        else:
            ack.set_result(None)
        return ack

    def partials(self) -> list[PartialMessage]:
        """Each message once, though heartbeats go to every partition."""
        return [decode_partial(sent.value) for sent in self.sent if sent.topic == "window-partials" and _first(sent)]

    def dead_letters(self) -> list[DeadLetter]:
        return [decode_dead_letter(sent.value) for sent in self.sent if sent.topic == "dead-letters"]


def _first(sent: Sent) -> bool:
    return sent.key is not None or sent.partition == 0


class FakeBaselines:
    """`later` is on the topic already, and known after a refresh. gone: the topic is not followed any more."""

    def __init__(self, *known: Baseline) -> None:
        self.by_version: dict[tuple[str, str], Baseline] = {}
        self.by_digest: dict[str, Baseline] = {}
        self.later: list[Baseline] = []
        self.refreshed, self.gone = 0, False
        for baseline in known:
            self.learn(baseline)

    def learn(self, baseline: Baseline) -> None:
        self.by_version[baseline.model, baseline.version] = baseline
        self.by_digest[baseline.digest] = baseline

    async def refresh(self) -> None:
        self.refreshed += 1
        if self.gone:
            raise NotFollowed("the topic baselines is not followed any more: start this process again")
        for baseline in self.later:
            self.learn(baseline)


class FakeAlerts:
    """What the topic of alerts told, by version; and the mutes that are known."""

    def __init__(self) -> None:
        self.states: dict[tuple[str, str], PolicyState] = {}
        self.known: list[Mute] = []

    def state(self, model: str, version: str) -> PolicyState:
        return self.states.get((model, version), PolicyState())

    def mutes(self, model: str, version: str, window_end: datetime) -> tuple[Mute, ...]:
        return in_force(self.known, model, version, window_end)


class FakeClock:
    """Stands still but for pauses and for what a test adds. wall_set: seconds that the wall clock was set by."""

    MOST_PAUSES = 1000

    def __init__(self) -> None:
        self.now, self.pauses, self.wall_set = 1000.0, [], 0.0
        self.clock = Clock(wall_ms=lambda: self.wall_at(self.now), seconds=self.seconds, pause=self.pause)

    def wall_at(self, seconds: float) -> int:
        return NOON_MS + round((seconds - 1000 + self.wall_set) * 1000)

    def seconds(self) -> float:
        return self.now

    async def pause(self, seconds: float) -> None:
        """Raises when nothing but pauses happens: what is tried for ever ends here, and not with the memory."""
        if len(self.pauses) >= self.MOST_PAUSES:
            raise AssertionError(f"{self.MOST_PAUSES} pauses, and it still does not work")
        self.pauses.append(seconds)
        self.now += seconds


class Stand:
    """Everything that stage 1 touches, with windows of 10 s and 2 s of lateness."""

    def __init__(self, *baselines: Baseline) -> None:
        self.time = FakeClock()
        self.source, self.store, self.outlet = FakeSource(self.time), FakeStore(), FakeOutlet()
        self.baselines, self.alerts, self.telemetry = FakeBaselines(*baselines), FakeAlerts(), Telemetry()
        self.publisher = Publisher(self.outlet, ADDRESSES, "/test")
        self.owned = Owned(
            WindowConfig(10_000, 2_000),
            *(self.source, self.store, self.publisher, self.baselines, self.time.clock, self.telemetry),
        )
        self.owned.restore([0])

    def value(self, name: str, **labels: str) -> float:
        """Of one Prometheus series; 0 before its first use."""
        return self.telemetry.registry.get_sample_value(f"tidemark_stream_{name}", labels) or 0.0
