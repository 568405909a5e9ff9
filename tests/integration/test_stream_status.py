"""What `status` says of real workers: before the topics exist, with no worker, with two, with one that is stopped."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.builders import a_baseline
from tests.servers.uncoordinated import UncoordinatedKafka
from tests.servers.verbs import Broker
from tests.streams import Stream, random_events
from tests.waiting import eventually


@pytest.fixture
async def stream(kafka: Broker, namespace: str, tmp_path: Path) -> AsyncIterator[Stream]:
    # A session longer than the test: a stopped worker keeps its partitions, as one does that is stuck.
    async with Stream(kafka.bootstrap, namespace, tmp_path, idle_seconds=120, session_timeout_seconds=60) as stream:
        yield stream


async def seen(stream: Stream) -> dict[str, Any]:
    return json.loads(await stream.command("status", "--json"))


async def test_before_the_topics_exist_status_is_one_line_that_says_what_to_do(
    kafka: Broker, namespace: str, tmp_path: Path
) -> None:
    told = await Stream(kafka.bootstrap, namespace, tmp_path).command("status", status=2)
    assert told.startswith("stream_app: missing topics: ")
    assert "python -m stream_app topics" in told
    assert len(told.splitlines()) == 1


async def test_status_without_a_worker_says_so_and_how_much_waits(stream: Stream) -> None:
    await stream.send(random_events(40, stream.fresh_hour(), per_second=100))
    told = await stream.command("status")
    print(told)
    assert "Empty, 0 workers" in told
    assert told.splitlines()[-1].startswith("no worker runs: 40 events wait on predictions")


async def test_status_shows_each_owner_and_names_the_worker_that_holds_windows_back(stream: Stream) -> None:
    await stream.publish_baseline(a_baseline())
    workers = [stream.worker(worker_id=f"w{i}") for i in range(2)]
    await asyncio.gather(*[stream.ready(worker, partitions=4) for worker in workers])
    start = stream.fresh_hour()
    await stream.send(random_events(800, start, per_second=100))  # 8 s of the first window, in each partition

    async def counted() -> dict[str, Any]:
        status = await seen(stream)
        return status if all(p["lag"] == 0 and p["open_windows"] == 1 for p in status["partitions"]) else {}

    status = await eventually(counted, 20, "everything counted")
    print(await stream.command("status"))
    owners = {partition["partition"]: partition["owner"] for partition in status["partitions"]}
    assert sorted(owners.values()) == ["w0"] * 4 + ["w1"] * 4
    assert (status["group_state"], status["workers"], status["rebalancing"]) == ("Stable", 2, False)
    assert all(p["heard_seconds"] < 5 and p["generation"] >= 1 and not p["idle"] for p in status["partitions"])
    assert {stage["owner"] for stage in status["stage2"]} == {"w0", "w1"}
    assert status["holding"] == "nothing holds time back"

    workers[1].pause()
    try:
        await stream.send(random_events(800, start + stream.window * 2, per_second=100, seed=1))

        async def held() -> dict[str, Any]:
            status = await seen(stream)
            return status if "no heartbeat" in status["holding"] else {}

        status = await eventually(held, 30, "the stopped worker is named")
        print(await stream.command("status"))
        mute = [partition for partition in status["partitions"] if partition["heard_seconds"] > 5]
        assert {partition["owner"] for partition in mute} == {"w1"}
        assert all(partition["lag"] == 100 for partition in mute)
        assert " of w1 holds windows back: no heartbeat for " in status["holding"]
        stream.worker(worker_id="w2")  # the group waits for w1 before it hands partitions out anew

        async def rebalancing() -> bool:
            return (await seen(stream))["rebalancing"]

        await eventually(rebalancing, 30, "a rebalance that cannot end")
        print(shown := await stream.command("status"))
        assert shown.splitlines()[-1].startswith("the group is rebalancing (PreparingRebalance): nothing is counted")
    finally:
        workers[1].resume()

    async def closed() -> bool:
        versions = (await seen(stream))["versions"]
        return [(v["model"], v["reports"]) for v in versions] == [("flights", 1)]

    await eventually(closed, 60, "the window closes once the worker goes on")


async def test_status_watched_is_shown_again_until_it_is_told_to_stop(stream: Stream) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "stream_app", "status", "--json", "--watch", "0.2"),
        env={**os.environ, **stream.env},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    shown = [json.loads(await asyncio.wait_for(process.stdout.readline(), 20))["at"] for _ in range(3)]
    assert shown == sorted(set(shown))
    process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), 10) == 0


@pytest.mark.parametrize(("leave", "come_back"), [("stop", "start"), ("pause", "resume")])
async def test_status_watched_says_once_that_the_broker_is_away_and_goes_on_when_it_is_back(
    own_kafka: Callable[[], Broker], tmp_path: Path, leave: str, come_back: str
) -> None:
    broker, out, err = own_kafka(), tmp_path / "out", tmp_path / "err"
    async with Stream(broker.bootstrap, "", tmp_path) as stream:
        await stream.producer.stop()
        with out.open("w") as stdout, err.open("w") as stderr:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "stream_app", "status", "--watch", "0.5"),
                env={**os.environ, **stream.env},
                stdout=stdout,
                stderr=stderr,
            )

        def pictures() -> list[str]:
            return re.findall(r"T(\d\d:\d\d:\d\dZ)  group tidemark:", out.read_text())

        try:
            await eventually(pictures, 30, "a picture")
            await asyncio.to_thread(getattr(broker, leave))
            began = time.monotonic()
            await eventually(err.read_text, 12, "that nobody answers")
            print(f"said {time.monotonic() - began:.1f} s after the broker's end")
            before = pictures()
            await asyncio.sleep(5)
            assert err.read_text() == (
                f"stream_app: no Kafka answers at {broker.bootstrap}; the picture above is of {before[-1]}\n"
            )
            assert pictures() == before
            await asyncio.to_thread(getattr(broker, come_back))
            await eventually(lambda: len(pictures()) > len(before) + 1, 60, "pictures again")
            process.send_signal(signal.SIGINT)
            assert await asyncio.wait_for(process.wait(), 10) == 0
            later = err.read_text().splitlines()[1:]  # just started, it may not be ready for a moment: a line of ours
            assert later.count(f"stream_app: Kafka at {broker.bootstrap} answers again") == 1
            assert all(line.startswith("stream_app: Kafka at ") for line in later), later
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def test_status_watched_says_once_that_the_broker_has_no_coordinator_of_the_group(tmp_path: Path) -> None:
    server, err = UncoordinatedKafka(tmp_path / "kafka"), tmp_path / "err"
    await asyncio.to_thread(server.start)
    try:
        stream = Stream(server.bootstrap, "", tmp_path)
        await stream.command("topics")
        with err.open("w") as stderr:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "stream_app", "status", "--watch", "0.2"),
                env={**os.environ, **stream.env, "STREAM_BROKER_WAIT_SECONDS": "3"},
                stderr=stderr,
            )
        try:
            await eventually(err.read_text, 30, "what it lacks")
            await asyncio.sleep(9)  # three rounds more
            process.send_signal(signal.SIGINT)
            assert await asyncio.wait_for(process.wait(), 10) == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        (line,) = err.read_text().splitlines()
        assert re.search(r"Kafka at [\d.:]+ is not ready: .*Coordinator.*; waited for \d s$", line)
    finally:
        await asyncio.to_thread(server.kill)
