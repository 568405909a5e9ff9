"""The worker as a whole, as far as it goes without a broker."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaError, for_code

from contracts.errors import InvalidMessage
from stream_app.agents.configured import merging_config
from stream_app.alerting.known_alerts import Alerts
from stream_app.app import create_app, restoring
from stream_app.baselines import Baselines
from stream_app.errors import BrokerError, StreamError
from stream_app.lifecycle import cannot_go_on, serve
from stream_app.settings import StreamSettings
from stream_app.telemetry import Telemetry
from stream_app.topic_layout import wanted
from stream_app.windowing.accumulator import OtherLength
from tests.waiting import eventually


async def test_a_broker_that_goes_away_while_a_worker_starts_is_waited_for_until_it_is_told_to_stop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.socket() as nobody:  # bound and not listening: a port that refuses for as long as the test runs
        nobody.bind(("127.0.0.1", 0))
        settings = StreamSettings(bootstrap=f"127.0.0.1:{nobody.getsockname()[1]}")
        existing = {topic.name: topic.partitions for topic in wanted(settings, {})}
        failure = asyncio.get_running_loop().create_future()
        baselines = Baselines(settings.bootstrap, "baselines")
        alerts = Alerts(settings.bootstrap, "drift-alerts", "alert-mutes", page_after=2)
        app = create_app(settings, existing, merging_config(settings), baselines, alerts, Telemetry(), failure)
        insisted: list[int] = []
        stop = asyncio.Event()
        told = asyncio.create_task(stop.wait())
        serving = asyncio.create_task(serve(app, told, failure, lambda seconds, status: insisted.append(status)))
        await eventually(lambda: "no Kafka answers any more: " in caplog.text, 20, "that it waits")
        assert not serving.done()
        stop.set()
        await asyncio.wait_for(serving, 20)
    assert insisted == [0]


async def test_an_app_that_cannot_start_ends_the_worker_with_one_line() -> None:
    class Unstartable:
        was_ready, ready, crash_reason = False, False, None

        async def start(self) -> None:
            raise KafkaError("it may not")

        async def wait(self) -> None:
            await asyncio.Event().wait()

        async def stop(self) -> None: ...

    failure: asyncio.Future[StreamError] = asyncio.get_running_loop().create_future()
    never = asyncio.create_task(asyncio.Event().wait())
    insisted: list[int] = []
    app: Any = Unstartable()
    with pytest.raises(BrokerError, match=r"the worker cannot start: .*it may not") as caught:
        await asyncio.wait_for(serve(app, never, failure, lambda seconds, status: insisted.append(status)), 20)
    assert "\n" not in str(caught.value)
    assert insisted == [2]


def test_a_worker_does_not_wait_for_libraries_that_it_does_not_use() -> None:
    """scipy.stats alone took 2.4 of the 3 seconds of a start: so long the partitions of a killed worker wait."""
    code = "import json, sys, stream_app.__main__, stream_app.lifecycle; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert not {"scipy.stats", "pandas", "httpx", "fastapi", "sklearn", "mlflow", "pyarrow"} & set(loaded)


def test_a_worker_whose_name_another_process_took_says_so() -> None:
    """The broker's FENCED_INSTANCE_ID (82), by the error that aiokafka makes of it."""
    reason = KafkaError(repr(for_code(82)()))
    assert "another process that came under STREAM_WORKER_ID=w1" in cannot_go_on(reason, "w1")
    assert cannot_go_on(reason, None) == "the worker cannot go on: KafkaError: UnknownError()"


class _Assigned:
    """A topic of which the group has just handed these partitions out. count: those it had at the start."""

    topic, count = "predictions", 8

    def __init__(self, *partitions: int) -> None:
        self.partitions = frozenset(partitions)


async def test_a_partition_that_is_added_while_a_worker_runs_ends_it_with_one_line() -> None:
    failure: asyncio.Future[StreamError] = asyncio.get_running_loop().create_future()
    restored: list[frozenset[int]] = []
    restoring(restored.append, _Assigned(0, 7), "counts-changelog", failure)()
    assert restored == [{0, 7}]
    assert not failure.done()
    restoring(restored.append, _Assigned(3, 8), "counts-changelog", failure)()
    assert restored == [{0, 7}]
    assert str(failure.result()).startswith("partition 8 of topic predictions was added while this worker ran")
    assert "STREAM_APP_ID" in str(failure.result())


@pytest.mark.parametrize(
    ("stored", "says"),
    [
        (OtherLength("1 open: do"), "the state in topic counts-changelog does not fit the settings: 1 open: do"),
        (
            InvalidMessage("it is torn"),
            "the state in topic counts-changelog cannot be read (it is torn): run the version that wrote it, or choose "
            "another STREAM_APP_ID to count everything anew",
        ),
    ],
)
async def test_what_mends_a_state_that_cannot_be_taken_up_is_said_once(stored: InvalidMessage, says: str) -> None:
    def restore(partitions: object) -> None:
        raise stored

    failure: asyncio.Future[StreamError] = asyncio.get_running_loop().create_future()
    restoring(restore, _Assigned(0), "counts-changelog", failure)()
    assert str(failure.result()) == says


@pytest.mark.parametrize(
    ("name", "why"), [("none.txt", "there is no such file"), (".", "cannot be read: Is a directory")]
)
def test_a_file_of_answered_ids_that_cannot_be_read_is_one_line(tmp_path: Path, name: str, why: str) -> None:
    file = tmp_path / name
    process = subprocess.run(
        [sys.executable, "-m", "stream_app", "audit", "--answered", str(file)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[3]), "STREAM_BOOTSTRAP": "127.0.0.1:1"},
        check=False,
    )
    assert process.stderr == f"stream_app: --answered {file}: {why}\n"
    assert process.returncode == 2
