"""The publisher goes on where Kafka does not take an event for its size, and loses none."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from api.outbox.aside import PREDICTIONS, Aside
from tests.serving import a_group
from tests.unit.api.publishing.test_publisher import ASIDE_BYTES, Post
from tests.waiting import eventually

LARGE = 5_000


def a_post(root: Path) -> Post:
    post = Post(root)
    post.kafka.most_bytes = 1_000
    return post


def counted(post: Post, series: str) -> float | None:
    return post.telemetry.registry.get_sample_value(f"tidemark_api_{series}")


async def test_an_event_that_is_too_large_is_set_aside_and_what_is_around_it_arrives_once(tmp_path: Path, caplog):
    post = a_post(tmp_path)
    post.outbox.append(a_group(1))
    post.outbox.append(a_group(2, size=LARGE))
    post.outbox.append(a_group(3, 4))
    async with post.running():
        await post.until("1", "3", "4")
        await post.publisher.drained()
        post.outbox.append(a_group(5))
        await post.until("1", "3", "4", "5")

    assert [kept.record for kept in Aside(tmp_path, PREDICTIONS, 0).kept()] == a_group(2, size=LARGE).records
    assert (counted(post, "published_total"), counted(post, "set_aside_total")) == (4, 1)
    assert counted(post, "aside_events") == 1
    assert post.kafka.connections == 1
    (line,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert line.getMessage().startswith("publisher: event 2 has 5000 bytes, more than its topic takes")
    assert "vvv" not in line.getMessage()


async def test_that_events_lie_aside_is_said_until_they_are_gone_and_after_a_restart_too(tmp_path: Path):
    post = a_post(tmp_path)
    post.outbox.append(a_group(2, size=LARGE))
    said = (False, "answers; 1 too large for the topic, set aside: see `python -m api aside`")
    async with post.running():
        await eventually(lambda: post.publisher.health == said, 5, "the state")
    assert counted(post, "kafka_up") == 1

    again = Post(tmp_path)
    async with again.running():
        await eventually(lambda: again.publisher.health == said, 5, "the state after a restart")
        for kept in Aside(tmp_path, PREDICTIONS, 0).kept():
            kept.file.unlink()
        await eventually(lambda: again.publisher.health == (True, "answers"), 5, "well again")
    assert counted(again, "aside_events") == 0


async def test_where_there_is_no_room_for_it_everything_waits_and_nothing_is_sent_again_or_lost(tmp_path: Path):
    post = a_post(tmp_path)
    other = Aside(tmp_path, PREDICTIONS, ASIDE_BYTES)
    blocking = other.keep(a_group(9, size=8_000))
    post.outbox.append(a_group(1))
    post.outbox.append(a_group(2, size=LARGE))
    async with post.running():
        await eventually(lambda: "cannot be set aside" in post.publisher.health.detail, 5, "the state")
        post.outbox.append(a_group(3))
        for _ in range(20):
            await eventually(lambda: True, 1, "a moment")
        assert post.kafka.events == ["1"]
        assert post.outbox.backlog.pending_bytes > LARGE

        blocking.unlink()
        await post.until("1", "3")
    assert [kept.file.name for kept in other.kept()] == ["2.event"]


async def test_the_outbox_of_a_dead_process_is_drained_past_its_large_events(tmp_path: Path):
    dead, alive = a_post(tmp_path), a_post(tmp_path)
    for number, size in enumerate([10, LARGE, 10]):
        dead.outbox.append(a_group(number, size=size))
    dead.die()
    async with alive.running():
        await alive.until("0", "2")
        await eventually(lambda: not list(dead.slot.directory.glob("*.log")), 5, "an empty slot")
    assert alive.aside.events == 1


@pytest.mark.parametrize("events", [20])
async def test_of_very_many_only_some_are_in_the_log_and_all_are_kept(tmp_path: Path, caplog, events: int):
    post = a_post(tmp_path)
    post.kafka.most_bytes = 100
    post.outbox.append(a_group(*range(events), size=200))
    async with post.running():
        await eventually(lambda: post.aside.events == events, 10, "all of them")
        await post.publisher.drained()
    lines = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert 5 <= len(lines) <= 10
    assert counted(post, "set_aside_total") == events
