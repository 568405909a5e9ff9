"""A worker from its start to its end. The end comes for sure, and soon while nothing has been counted yet.

Faust's services swallow being cancelled, its threads are no daemons, and a service that is told to stop while it starts
may wait for ever for what was never begun. So each wait here has an end, and the entry point is asked to insist.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

from contracts.topics import ALERT_MUTES, BASELINES, DRIFT_ALERTS
from stream_app import admin
from stream_app.agents.configured import merging_config
from stream_app.alerting.known_alerts import Alerts
from stream_app.app import create_app
from stream_app.baselines import Baselines
from stream_app.delivery.framework import App
from stream_app.errors import BrokerError, StreamError
from stream_app.readiness import Waiting
from stream_app.settings import StreamSettings
from stream_app.telemetry import Telemetry
from stream_app.topic_layout import Process, check_kinds, check_layout

log = logging.getLogger(__name__)
STOP_SECONDS, EARLY_SECONDS, _MARGIN_SECONDS = 30.0, 1.5, 0.5
"""For a stop that finishes and commits; for one before anything was counted; and beyond them until the process goes."""
_SAY_SECONDS = 30

Insist = Callable[[float, int], None]
"""Called with seconds after which this process must be gone, whatever hangs, and the exit status it then has."""


class Job(Protocol):
    """What a process does, from the topics it follows to its Faust app."""

    process: Process

    async def follow(self, waiting: Waiting) -> None:
        """Read what has to be known from the start, waiting while Kafka is not ready; then follow it.

        Raises StreamError.
        """

    async def unfollow(self) -> None:
        """Stop following."""

    def app(self, existing: dict[str, int], failure: asyncio.Future[StreamError]) -> App:
        """existing: partitions of every topic. failure: set when it cannot go on."""


class Worker:
    """Counts `predictions`."""

    process: Process = "worker"

    def __init__(self, settings: StreamSettings, telemetry: Telemetry) -> None:
        self._settings, self._telemetry = settings, telemetry
        self._config = merging_config(settings)
        self._baselines = Baselines(settings.bootstrap, settings.topic(BASELINES))
        topics = settings.topic(DRIFT_ALERTS), settings.topic(ALERT_MUTES)
        self._alerts = Alerts(settings.bootstrap, *topics, self._config.policy.page_after)

    async def follow(self, waiting: Waiting) -> None:
        """Baselines, alerts and mutes."""
        await asyncio.gather(*(waiting.until_ready(one.start) for one in (self._baselines, self._alerts)))

    async def unfollow(self) -> None:
        """See Job."""
        await asyncio.gather(self._baselines.stop(), self._alerts.stop())

    def app(self, existing: dict[str, int], failure: asyncio.Future[StreamError]) -> App:
        """See Job."""
        told = self._baselines, self._alerts
        return create_app(self._settings, existing, self._config, *told, self._telemetry, failure)


async def run(settings: StreamSettings, job: Job, stop: asyncio.Event, insist: Insist) -> None:
    """Work until `stop` is set, then finish, commit and leave the group. Raises StreamError when it cannot go on."""
    stopped = asyncio.create_task(stop.wait())
    preparing = asyncio.create_task(_prepare(settings, job))
    await asyncio.wait({stopped, preparing}, return_when=asyncio.FIRST_COMPLETED)
    if stopped.done():  # perhaps while it waits for Kafka
        insist(EARLY_SECONDS, 0)
        preparing.cancel()
        await asyncio.gather(preparing, return_exceptions=True)
        await job.unfollow()
        return
    failure: asyncio.Future[StreamError] = asyncio.get_running_loop().create_future()
    app = job.app(preparing.result(), failure)
    try:
        await serve(app, stopped, failure, insist)
    finally:
        await job.unfollow()


async def serve(app: App, stopped: asyncio.Task[Any], failure: asyncio.Future[StreamError], insist: Insist) -> None:
    """Start the app, wait until `stopped` is done, stop it. Raises StreamError when it cannot start or go on."""
    starting, watching = asyncio.create_task(app.start()), asyncio.create_task(_say_while_not_ready(app))
    starting.add_done_callback(lambda task: _check_start(task, failure))
    crashed = asyncio.create_task(app.wait())
    try:
        await asyncio.wait({stopped, crashed, failure}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        seconds = STOP_SECONDS if app.was_ready else EARLY_SECONDS
        insist(seconds + _MARGIN_SECONDS, 0 if stopped.done() else 2)
        await _stop(app, seconds, {starting, watching, stopped, crashed})
    if failure.done():
        raise failure.result()
    if app.crash_reason is not None:
        raise StreamError(cannot_go_on(app.crash_reason, app.conf.consumer_group_instance_id)) from app.crash_reason


def cannot_go_on(reason: BaseException, name: str | None) -> str:
    """A line for what ended the app. name: STREAM_WORKER_ID, if it has one.

    aiokafka knows no FENCED_INSTANCE_ID and calls it, as every error that it does not know, UnknownError.
    """
    if name and "UnknownError" in str(reason):
        return (
            f"the worker cannot go on: Kafka gave its place to another process that came under STREAM_WORKER_ID={name}"
            ". Give each worker a name of its own; if it has one, start it again"
        )
    return f"the worker cannot go on: {reason}"


async def _prepare(settings: StreamSettings, job: Job) -> dict[str, int]:
    """Wait for the broker, check the topics, read what has to be known. The partitions of every topic."""
    async with admin.connected(settings, log.warning) as client:
        existing = await admin.partitions(client)
        check_layout(settings, existing, job.process)
        check_kinds(settings, await admin.used_configs(client, settings, job.process))
        await job.follow(client.waiting)
    return existing


def _check_start(starting: asyncio.Task[Any], failure: asyncio.Future[StreamError]) -> None:
    """An app that raises in its start is not told apart from a running one by Faust: nobody would hear of it."""
    if not starting.cancelled() and (error := starting.exception()) is not None and not failure.done():
        failure.set_result(BrokerError(f"the worker cannot start: {error}"))


async def _say_while_not_ready(app: App) -> None:
    seconds = 0
    while True:
        await asyncio.sleep(_SAY_SECONDS)
        seconds = 0 if app.ready else seconds + _SAY_SECONDS
        if seconds:
            log.warning("not counting for %s s: waiting for partitions from the group, or reading state", seconds)


async def _stop(app: App, seconds: float, tasks: set[asyncio.Task[Any]]) -> None:
    log.info("stopping: what was begun is finished and committed")
    stopping = asyncio.create_task(app.stop())
    await asyncio.wait({stopping}, timeout=seconds)
    if not stopping.done():
        log.warning("not stopped within %g s; what is not committed is read again", seconds)
    for task in {stopping, *tasks}:
        task.cancel()
    done, _ = await asyncio.wait({stopping, *tasks}, timeout=_MARGIN_SECONDS)
    for task in done:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.debug("at the end", exc_info=error)
