"""A worker that speaks is not silent, whatever the clocks say; one that does not, is.

looker's clock    0 ........ 60 s      a look at 60 s, one that listens at 61.5 s
worker's clock      6 s behind it: what it says at 60 s bears the time 54 s
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

from contracts.partials import Heartbeat, encode_partial
from stream_app.settings import StreamSettings
from stream_app.status import reading
from stream_app.status.counted import predictions
from stream_app.status.hearing import Hearing
from stream_app.status.holding import holding
from stream_app.status.picture import Picture, picture_of
from stream_app.status.reading import Reader
from tests.builders import NOON_MS

SETTINGS = StreamSettings(bootstrap="nowhere:9092")
COUNTED = predictions(SETTINGS)
SOURCE, BEATS = (TopicPartition(SETTINGS.topic(topic), 0) for topic in (COUNTED.source, COUNTED.partials))


def a_beat(number: int = 0) -> Heartbeat:
    return Heartbeat(partition=number, partitions=1, generation=1, watermark=NOON_MS, idle=False, owner="w0")


class Kafka:
    """A consumer and an admin client of a group of one worker; its clock is `ahead` of the looker's, in seconds.

    At each question for the logs' ends `speaks` further heartbeats have come, the last one just now.
    """

    def __init__(self, *, ahead: float = 0.0, speaks: int = 1) -> None:
        self.ahead, self.speaks = ahead, speaks
        self.now = NOON_MS
        self.beats = [NOON_MS - 500 * back + round(ahead * 1000) for back in (3, 2, 1)]
        self.position_ = 0
        self.waiting = SimpleNamespace(until_ready=lambda ask: ask())

    def assign(self, partitions: Any) -> None: ...
    def pause(self, *partitions: Any) -> None: ...
    def resume(self, *partitions: Any) -> None: ...

    def assignment(self) -> set[TopicPartition]:
        return set()

    paused = assignment

    async def offsets_for_times(self, times: dict[TopicPartition, int]) -> dict[TopicPartition, Any]:
        [(tp, time)] = times.items()
        return {tp: next((SimpleNamespace(offset=i) for i, at in enumerate(self.beats) if at >= time), None)}

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.position_ = offset

    async def seek_to_end(self, tp: TopicPartition) -> None:
        self.position_ = len(self.beats)

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        if len(partitions) > 1:  # those that are followed
            self.now += 1_500
            spoken = range(self.speaks - 1, -1, -1)
            self.beats += [self.now - 500 * back + round(self.ahead * 1000) for back in spoken]
        return {tp: len(self.beats) if tp == BEATS else 0 for tp in partitions}

    async def position(self, tp: TopicPartition) -> int:
        return self.position_ if tp == BEATS else 0

    async def getmany(self, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        first, self.position_ = self.position_, len(self.beats)
        value = encode_partial(a_beat())
        return {BEATS: [SimpleNamespace(topic=BEATS.topic, value=value, timestamp=at) for at in self.beats[first:]]}

    async def list_consumer_group_offsets(self, group: str) -> dict[TopicPartition, Any]:
        return {}

    async def describe_consumer_groups(self, groups: list[str]) -> list[Any]:
        assignment = ConsumerProtocolMemberAssignment(0, [(SOURCE.topic, [0]), (BEATS.topic, [0])], b"").encode()
        return [SimpleNamespace(groups=[(0, "", "Stable", "", "", [("faust-1", "", "/10.0.0.1", b"", assignment)])])]


async def looked(monkeypatch: pytest.MonkeyPatch, kafka: Kafka, looks: int = 1) -> Picture:
    monkeypatch.setattr(reading, "_now", lambda: kafka.now)
    monkeypatch.setattr(reading, "LISTEN_SECONDS", 0.0, raising=False)
    client: Any = kafka
    reader = Reader(SETTINGS, client, client, COUNTED)
    names = [SETTINGS.topic(COUNTED.source), SETTINGS.topic(COUNTED.partials), *COUNTED.states]
    await reader.begin(dict.fromkeys(names, 1))
    for _ in range(looks):
        picture = picture_of(await reader.read())
    return picture


@pytest.mark.parametrize("ahead", [-6.0, -3_600.0])
async def test_workers_whose_clocks_are_behind_the_lookers_are_not_silent(
    monkeypatch: pytest.MonkeyPatch, ahead: float
) -> None:
    picture = await looked(monkeypatch, Kafka(ahead=ahead))
    [source] = picture.partitions
    assert (source.owner, holding(picture)) == ("w0", "nothing holds time back")
    [note] = picture.notes
    assert note.startswith(f"this machine's clock is about {-ahead:,.0f} s ahead of the workers'")


async def test_a_worker_that_does_not_speak_is_silent_from_the_first_picture_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kafka = Kafka(ahead=-6.0, speaks=0)
    for looks in (1, 3):
        picture = await looked(monkeypatch, kafka, looks)
        assert (holding(picture).split(":")[1].split(" for ")[0], picture.notes) == (" no heartbeat", ())


async def test_a_silent_worker_whose_clock_is_ahead_is_found_by_watching(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = await looked(monkeypatch, Kafka(ahead=60.0, speaks=0), looks=6)
    assert "of w0 holds windows back: no heartbeat for" in holding(picture)


async def test_with_clocks_that_agree_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    kafka = Kafka()
    await looked(monkeypatch, kafka)
    assert kafka.now == NOON_MS + 1_500


def test_what_was_said_long_before_a_look_is_not_new_because_it_is_read_now() -> None:
    hearing = Hearing()
    hearing.begin(0)
    hearing.begin(60_000)
    hearing.take(a_beat(), 9_000, 60_000)
    assert hearing.heard[0].at == 9_000
    assert hearing.in_doubt([0], 60_000)
    assert not hearing.in_doubt([0], 61_500)  # it was listened to, and said nothing


def test_a_worker_whose_clock_differs_from_the_other_workers_is_not_silent_either() -> None:
    hearing = Hearing()
    hearing.begin(60_000)
    hearing.take(a_beat(0), 59_900, 60_000)
    hearing.take(a_beat(1), 53_900, 60_000)
    assert hearing.in_doubt([0, 1], 60_000)
    hearing.begin(61_500)
    hearing.take(a_beat(1), 55_400, 61_500)
    assert (hearing.heard[1].at, hearing.in_doubt([0, 1], 61_500)) == (60_000, False)
