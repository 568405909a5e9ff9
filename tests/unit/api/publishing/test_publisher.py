import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from api.outbox.aside import PREDICTIONS, Aside
from api.outbox.log import Outbox
from api.outbox.segments import Record, file_header, frame
from api.outbox.slots import Slot, claim
from api.outbox.sources import Source, Sources
from api.publishing.giving_way import GivingWay
from api.publishing.pace import Pace
from api.publishing.publisher import Link, Publisher, Sink
from api.publishing.setting_aside import SettingAside
from api.telemetry import Telemetry
from tests.builders import NOON_MS, a_baseline
from tests.serving import FakeKafka, FakeLink, RecordingMirror, a_group, an_outbox
from tests.waiting import eventually

ASIDE_BYTES = 10_000
QUICK = Pace(linger=0.001, warn=0.05, limit=0.2, adopt=0.01, retry=0.005, check=0.005)


class BreakingMirror(RecordingMirror):
    """unexpected: so many checks raise."""

    unexpected = 0

    async def check(self) -> None:
        if self.unexpected:
            self.unexpected -= 1
            raise RuntimeError("nobody expects this")


class Post:
    """A publisher over a Kafka in memory. The slot keeps the baselines of versions 1 and 2."""

    def __init__(self, root: Path, kafka: FakeKafka | None = None, giving_way: GivingWay | None = None) -> None:
        self.root = root
        self.kafka = kafka or FakeKafka()
        self.mirror = BreakingMirror()
        self.slot: Slot = claim(root)
        self.outbox: Outbox = an_outbox(self.slot.directory, self.slot.next_epoch(NOON_MS))
        for version in "12":
            self.slot.keep_baseline(f"flights/{version}", a_baseline(version=version, rows=500).to_bytes())
        self.telemetry = Telemetry()
        self.giving_way = giving_way
        self.aside = Aside(root, PREDICTIONS, ASIDE_BYTES)
        self.publisher = self.a_publisher(self.kafka.connect, self.mirror)

    def a_publisher(self, connect: Callable[[], Awaitable[Link]], mirror: Sink) -> Publisher:
        """Over this slot, with another way to Kafka or another mirror."""
        return Publisher(
            Sources(Source(self.slot, self.outbox.backlog), self.root, self.telemetry, lambda _: None),
            connect,
            mirror,
            self.telemetry,
            QUICK,
            SettingAside(self.aside, self.telemetry, retry=0.005),
            now=lambda: float(NOON_MS),
            giving_way=self.giving_way,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.publisher.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until(self, *ids: str) -> None:
        await eventually(lambda: self.kafka.events == list(ids), 5, f"events {ids}")

    def die(self) -> None:
        """As a SIGKILL: nothing is closed in order, only the lock is gone."""
        self.slot.release()


async def test_events_reach_kafka_in_order_and_are_forgotten(tmp_path: Path):
    post = Post(tmp_path)
    post.outbox.append(a_group(1, 2))
    async with post.running():
        post.outbox.append(a_group(3))
        await post.until("1", "2", "3")
        await post.publisher.drained()

    assert post.outbox.backlog.pending_bytes == 0
    assert post.mirror.ids == ["1", "2", "3"]


async def test_the_copy_and_the_sending_begin_in_turns_of_the_event_loop_of_their_own(tmp_path: Path):
    post = Post(tmp_path)
    loop, turn, copied, sent = asyncio.get_running_loop(), 0, list[int](), list[int]()

    def count() -> None:
        nonlocal turn
        turn += 1
        loop.call_soon(count)

    class CountedMirror(BreakingMirror):
        async def write(self, records: Sequence[Record]) -> None:
            copied.append(turn)

    class CountedLink(FakeLink):
        async def send(self, records: Sequence[Record]) -> Sequence[Record]:
            sent.append(turn)
            return await super().send(records)

    async def connect() -> CountedLink:
        return CountedLink(post.kafka)

    post.publisher = post.a_publisher(connect, CountedMirror())
    post.outbox.append(a_group(1, 2))
    count()
    async with post.running():
        await post.until("1", "2")
    assert len(copied) == len(sent) == 1
    assert copied[0] < sent[0]


async def test_a_versions_baseline_is_on_kafka_before_its_first_event_and_once(tmp_path: Path):
    post = Post(tmp_path)
    for number, version in enumerate("1122"):
        post.outbox.append(a_group(number, baseline=f"flights/{version}"))
        async with post.running():
            await post.until(*map(str, range(number + 1)))

    assert post.kafka.log == ["baseline flights/1", "0", "1", "baseline flights/2", "2", "3"]


async def test_a_loaded_version_is_announced_without_any_event(tmp_path: Path):
    post = Post(tmp_path)
    async with post.running():
        post.publisher.announce("flights/2")
        await eventually(lambda: post.kafka.log == ["baseline flights/2"], 5, "the baseline")


async def test_after_a_restart_the_baselines_of_what_is_left_go_first_again(tmp_path: Path):
    before = Post(tmp_path)
    before.outbox.append(a_group(1, baseline="flights/1"))
    before.kafka.away = True
    async with before.running():
        await eventually(lambda: not before.publisher.health.ok, 5, "degraded")
    before.die()

    after = Post(tmp_path)
    async with after.running():
        await after.until("1")

    assert after.kafka.log == ["baseline flights/1", "1"]


async def test_events_whose_baseline_is_lost_go_out_and_are_counted(tmp_path: Path):
    post = Post(tmp_path)
    post.outbox.append(a_group(1, baseline="flights/9"))
    async with post.running():
        await post.until("1")

    assert post.telemetry.registry.get_sample_value("tidemark_api_versions_without_baseline_total") == 1


async def test_a_damaged_baseline_holds_nothing_back_and_is_counted(tmp_path: Path):
    post = Post(tmp_path)
    post.slot.keep_baseline("flights/3", b"{damaged")
    post.outbox.append(a_group(1, baseline="flights/3"))
    post.outbox.append(a_group(2, baseline="flights/1"))
    async with post.running():
        await post.until("1", "2")

    assert post.kafka.log == ["baseline flights/1", "1", "2"]
    assert post.telemetry.registry.get_sample_value("tidemark_api_versions_without_baseline_total") == 1


async def test_a_refused_baseline_is_said_and_holds_no_event_back_and_goes_out_once_it_is_taken(tmp_path: Path):
    post = Post(tmp_path)
    post.kafka.too_large = {"flights/2"}
    async with post.running():
        for number, version in enumerate("121"):
            post.outbox.append(a_group(number, baseline=f"flights/{version}"))
            await post.until(*map(str, range(number + 1)))
        refuses = (False, "refuses the baseline of flights/2: see the log")
        await eventually(lambda: post.publisher.health == refuses, 5, "the refusal in the state")
        assert post.telemetry.registry.get_sample_value("tidemark_api_kafka_up") == 1

        post.kafka.too_large.clear()

        await eventually(lambda: post.kafka.log[-1] == "baseline flights/2", 5, "the baseline")
        await eventually(lambda: post.publisher.health.ok, 5, "well again")
    assert post.telemetry.registry.get_sample_value("tidemark_api_versions_without_baseline_total") == 1
    assert post.kafka.connections == 1


async def test_without_kafka_events_wait_and_go_out_when_it_is_there(tmp_path: Path):
    post = Post(tmp_path)
    post.kafka.away = True
    post.outbox.append(a_group(1))
    async with post.running():
        await eventually(lambda: post.publisher.health == (False, "KafkaConnectionError: away"), 5, "degraded")
        assert post.outbox.backlog.pending_bytes > 0
        post.kafka.away = False

        await post.until("1")
        await eventually(lambda: post.publisher.health.ok, 5, "well again")


async def test_kafka_going_away_without_traffic_is_noticed(tmp_path: Path):
    post = Post(tmp_path)
    async with post.running():
        await eventually(lambda: post.publisher.health.ok, 5, "connected")
        post.kafka.away = True

        await eventually(lambda: not post.publisher.health.ok, 5, "degraded")


async def test_a_failed_group_is_sent_again_through_a_new_connection(tmp_path: Path):
    post = Post(tmp_path)
    post.kafka.refuse_before = 2
    post.outbox.append(a_group(1, 2))
    async with post.running():
        await post.until("1", "2")

    assert post.kafka.connections == post.kafka.closed == 3


async def test_a_group_whose_acknowledgement_was_lost_is_sent_twice_in_the_same_order(tmp_path: Path):
    post = Post(tmp_path)
    post.kafka.refuse_after = 1
    post.outbox.append(a_group(1, 2))
    async with post.running():
        await post.until("1", "2", "1", "2")
        post.outbox.append(a_group(3))
        await post.until("1", "2", "1", "2", "3")


class SlowKafka(FakeKafka):
    """Acknowledges nothing until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = asyncio.Event()

    async def connect(self):
        link = await super().connect()
        send = link.send

        async def slow(records):
            await self.answers.wait()
            return await send(records)

        link.send = slow
        return link


async def test_a_broker_that_does_not_answer_counts_as_away_and_is_given_up_after_a_while(tmp_path: Path):
    kafka = SlowKafka()
    post = Post(tmp_path, kafka)
    post.outbox.append(a_group(1))
    async with post.running():
        await eventually(lambda: post.publisher.health == (False, "no answer for 0.05 s"), 5, "degraded")
        await eventually(lambda: kafka.connections >= 2, 5, "a new connection")
        kafka.answers.set()

        await post.until("1")


async def test_what_a_dead_process_left_is_drained_and_its_slot_given_back(tmp_path: Path):
    dead = Post(tmp_path)
    dead.outbox.append(a_group(1, baseline="flights/1"))
    alive = Post(tmp_path)
    dead.die()

    async with alive.running():
        await alive.until("1")
        await eventually(lambda: not list(dead.slot.directory.glob("*.log")), 5, "an empty slot")

    assert alive.kafka.log == ["baseline flights/1", "1"]
    assert claim(tmp_path).name == "00"


async def test_what_a_living_process_has_is_left_to_it(tmp_path: Path):
    other, mine = Post(tmp_path), Post(tmp_path)
    other.outbox.append(a_group(1))
    mine.outbox.append(a_group(2))

    async with mine.running():
        await mine.until("2")
        await eventually(lambda: mine.publisher.health.ok, 5, "a look for slots")

    assert mine.kafka.events == ["2"]


def damaged_by_hand(slot: Slot) -> Path:
    """The slot's log file cannot be read any more: a directory is in its place."""
    (file,) = slot.directory.glob("*.log")
    file.unlink()
    file.mkdir()
    return file


async def test_a_slot_that_cannot_be_read_hinders_no_other_and_is_tried_again(tmp_path: Path, caplog):
    dead, second, alive = Post(tmp_path), Post(tmp_path), Post(tmp_path)
    dead.outbox.append(a_group(1))
    second.outbox.append(a_group(2))
    (file,) = dead.slot.directory.glob("*.log")
    data = file.read_bytes()
    damaged_by_hand(dead.slot)
    dead.die()
    second.die()
    async with alive.running():
        await alive.until("2")
        alive.outbox.append(a_group(3))
        await alive.until("2", "3")
        aside = (False, "answers, but slot 00 cannot be read: Is a directory")
        await eventually(lambda: alive.publisher.health == aside, 5, "the slot in the state")

        file.rmdir()
        file.write_bytes(data)
        await alive.until("2", "3", "1")
        await eventually(lambda: alive.publisher.health.ok, 5, "well again")

    assert alive.kafka.connections == 1
    assert sum("slot 00 is left alone" in line for line in caplog.messages) == 1


async def test_an_adopted_slot_that_fails_while_it_is_drained_is_set_aside(tmp_path: Path, caplog):
    kafka = SlowKafka()
    dead, alive = Post(tmp_path), Post(tmp_path, kafka)
    for n in range(3):
        dead.outbox.append(a_group(n, size=200_000))  # two slices
    dead.die()
    async with alive.running():
        await eventually(lambda: alive.telemetry.adopted._value.get() == 1, 5, "the slot adopted")
        reader = next(source for source in alive.publisher._sources if source.slot.name == "00").backlog
        await eventually(lambda: reader._reader is not None, 5, "its file open")
        os.close(reader._reader)
        reader._reader = os.open(tmp_path, os.O_RDONLY)
        alive.outbox.append(a_group(7))
        kafka.answers.set()
        await eventually(lambda: {"0", "1", "2", "7"} <= set(kafka.events), 5, "all events")

    assert kafka.connections == 1
    assert sum("slot 00 is left alone" in line for line in caplog.messages) == 1


async def test_an_own_slot_that_cannot_be_read_is_an_outbox_problem_and_no_absence_of_kafka(tmp_path: Path):
    dead, alive = Post(tmp_path), Post(tmp_path)
    alive.outbox.append(a_group(1))
    file = damaged_by_hand(alive.slot)
    async with alive.running():
        await eventually(lambda: alive.outbox.trouble == "cannot be read: Is a directory", 5, "the trouble")
        await eventually(lambda: "slot 01 cannot be read" in alive.publisher.health.detail, 5, "the state")
        dead.outbox.append(a_group(2))
        dead.die()
        await alive.until("2")
        assert alive.outbox.backlog.oldest() is None  # what /metrics asks raises nothing

        file.rmdir()
        file.write_bytes(file_header() + frame(a_group(1)))
        await alive.until("2", "1")

    assert alive.outbox.trouble == ""
    assert alive.kafka.connections == 1


async def test_a_mirror_that_raises_what_nobody_expects_does_not_end_the_publisher(tmp_path: Path):
    post = Post(tmp_path)
    post.kafka.away = True
    post.mirror.unexpected = 3
    post.outbox.append(a_group(1))
    async with post.running():
        await eventually(lambda: post.mirror.unexpected == 0, 5, "the errors")
        post.kafka.away = False

        await post.until("1")


async def test_draining_ends_when_nothing_waits_and_only_then(tmp_path: Path):
    kafka = SlowKafka()
    post = Post(tmp_path, kafka)
    await post.publisher.drained()
    post.outbox.append(a_group(1))
    async with post.running():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(post.publisher.drained(), 0.05)
        kafka.answers.set()

        await asyncio.wait_for(post.publisher.drained(), 5)


async def test_what_is_lazy_connects_only_when_something_waits_and_groups_without_a_baseline_need_none(tmp_path: Path):
    kafka, slot = FakeKafka(), claim(tmp_path, ("labels",))
    part, telemetry = slot.parts["labels"], Telemetry()
    outbox = an_outbox(part.directory)
    publisher = Publisher(
        Sources(Source(part, outbox.backlog), tmp_path, telemetry.labels, lambda _: None, "labels"),
        kafka.connect,
        RecordingMirror(),
        telemetry.labels,
        QUICK,
        SettingAside(Aside(tmp_path, "labels", ASIDE_BYTES), telemetry.labels),
        now=lambda: float(NOON_MS),
        lazy=True,
    )
    kafka.away = True
    task = asyncio.create_task(publisher.run())
    try:
        await publisher.drained()
        for _ in range(20):
            await asyncio.sleep(QUICK.linger)
        assert publisher.health.ok
        outbox.append(a_group(1, 2, baseline=""))
        await eventually(lambda: not publisher.health.ok, 10, "an attempt")
        kafka.away = False
        await publisher.drained()
    finally:
        task.cancel()
        await asyncio.wait([task])

    assert kafka.log == ["1", "2"]
    assert telemetry.registry.get_sample_value("tidemark_api_labels_published_total") == 2
    assert telemetry.registry.get_sample_value("tidemark_api_published_total") == 0


async def test_labels_that_a_dead_process_left_are_adopted(tmp_path: Path):
    kafka, dead = FakeKafka(), claim(tmp_path, ("labels",))
    left = an_outbox(dead.parts["labels"].directory)
    left.append(a_group(1, 2, baseline=""))
    left.close()
    slot, telemetry = claim(tmp_path, ("labels",)), Telemetry()
    part = slot.parts["labels"]
    own = an_outbox(part.directory)
    publisher = Publisher(
        Sources(Source(part, own.backlog), tmp_path, telemetry.labels, lambda _: None, "labels"),
        kafka.connect,
        RecordingMirror(),
        telemetry.labels,
        QUICK,
        SettingAside(Aside(tmp_path, "labels", ASIDE_BYTES), telemetry.labels),
        now=lambda: float(NOON_MS),
        lazy=True,
    )
    task = asyncio.create_task(publisher.run())
    try:
        dead.release()
        await eventually(lambda: kafka.log == ["1", "2"], 10, "the labels of the dead process")
        await eventually(lambda: not list(dead.directory.rglob("*.log")), 10, "an empty slot")
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert telemetry.registry.get_sample_value("tidemark_api_label_outbox_adopted_total") == 1
