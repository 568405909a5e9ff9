"""Composition root of the worker: settings become a Faust app with its topics, state tables, agents and timer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from contracts.errors import InvalidMessage
from contracts.topics import BASELINES, PREDICTIONS, WINDOW_PARTIALS
from stream_app import admin
from stream_app.agents.configured import addresses, limits, merging_config, window_config
from stream_app.agents.counting import Counting
from stream_app.agents.merging import Merging, MergingConfig
from stream_app.agents.owned import Owned
from stream_app.agents.patience import Clock, until_done
from stream_app.agents.publishing import Publisher
from stream_app.agents.silence import Silence
from stream_app.baselines import Baselines
from stream_app.delivery.configuration import faust_settings, fetching
from stream_app.delivery.framework import App
from stream_app.delivery.source import TopicSource
from stream_app.errors import BrokerError, StateError, StreamError
from stream_app.settings import StreamSettings
from stream_app.telemetry import Telemetry
from stream_app.windowing.merged_state import age_of_merged
from stream_app.windowing.state import age_of

log = logging.getLogger(__name__)
TICK_SECONDS = 0.5
_STOP_SECONDS, _SAY_SECONDS = 30, 30
_CLOCK = Clock(wall_ms=lambda: time.time_ns() // 1_000_000, seconds=time.monotonic)


async def run(settings: StreamSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Work until `stop` is set, then finish, commit and leave the group. Raises StreamError when it cannot go on."""
    config = merging_config(settings)
    baselines = Baselines(settings.bootstrap, settings.topic(BASELINES))
    stopped = asyncio.create_task(stop.wait())
    preparing = asyncio.create_task(_prepare(settings, baselines))
    await asyncio.wait({stopped, preparing}, return_when=asyncio.FIRST_COMPLETED)
    if not preparing.done():  # told to stop while it waits for Kafka
        preparing.cancel()
        await asyncio.gather(preparing, return_exceptions=True)
        await baselines.stop()
        return
    failure: asyncio.Future[StreamError] = asyncio.get_running_loop().create_future()
    app = create_app(settings, preparing.result(), config, baselines, telemetry, failure)
    try:
        await serve(app, stopped, failure)
    finally:
        await baselines.stop()


async def serve(app: App, stopped: asyncio.Task[Any], failure: asyncio.Future[StreamError]) -> None:
    """Start the app, wait until `stopped` is done, stop it. Raises StreamError when it cannot start or go on."""
    starting, watching = asyncio.create_task(app.start()), asyncio.create_task(_say_while_not_ready(app))
    starting.add_done_callback(lambda task: _check_start(task, failure))
    crashed = asyncio.create_task(app.wait())
    try:
        await asyncio.wait({stopped, crashed, failure}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _stop(app, starting, watching, stopped, crashed)
    if failure.done():
        raise failure.result()
    if app.crash_reason is not None:
        raise StreamError(f"the worker cannot go on: {app.crash_reason}") from app.crash_reason


async def _prepare(settings: StreamSettings, baselines: Baselines) -> dict[str, int]:
    """Wait for the broker, check the topics, read the baselines. The partitions of every topic."""
    async with admin.connected(settings, log.warning) as client:
        existing = await admin.partitions(client)
    admin.check(settings, existing)
    await baselines.start()
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


async def _stop(app: App, *tasks: asyncio.Task[Any]) -> None:
    log.info("stopping: what was begun is finished and committed")
    try:
        await asyncio.wait_for(app.stop(), _STOP_SECONDS)
    except TimeoutError:
        log.warning("not stopped within %g s; what is not committed is read again", _STOP_SECONDS)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def create_app(
    settings: StreamSettings,
    existing: dict[str, int],
    config: MergingConfig,
    baselines: Baselines,
    telemetry: Telemetry,
    failure: asyncio.Future[StreamError],
) -> App:
    """Everything built and connected; nothing started. existing: partitions of every topic.

    failure: set when state cannot be read or written.
    """
    layout, to = admin.check(settings, existing), addresses(settings, existing)
    predictions, partials = settings.topic(PREDICTIONS), settings.topic(WINDOW_PARTIALS)
    app = App(settings.group, fetching=fetching(settings, predictions, partials), **faust_settings(settings))
    publisher = Publisher(app, to)

    source = TopicSource(app, predictions, layout.predictions)
    counts = app.state_table(
        "counts",
        layout.predictions,
        age_of,
        _restoring(lambda numbers: owned.restore(numbers), source, settings.counts_topic, failure),
    )
    owned = Owned(window_config(settings), source, counts, publisher, baselines, _CLOCK)
    counting = Counting(predictions, limits(settings), owned, baselines, telemetry)
    silence = Silence(predictions, settings.idle_seconds, owned, telemetry)

    partials_source = TopicSource(app, partials, layout.partials)
    merged = app.state_table(
        "windows",
        layout.partials,
        age_of_merged,
        _restoring(lambda numbers: merging.restore(numbers), partials_source, settings.windows_topic, failure),
    )
    merging = Merging(partials, config, partials_source, merged, publisher, baselines, telemetry, _CLOCK)

    @app.agent(app.batched_topic(predictions), name="count_predictions", concurrency=1)  # type: ignore[untyped-decorator]
    async def count_predictions(batches: Any) -> None:
        async for batch in batches:
            await counting.handle(batch)

    @app.agent(app.batched_topic(partials), name="merge_partials", concurrency=1)  # type: ignore[untyped-decorator]
    async def merge_partials(batches: Any) -> None:
        async for batch in batches:
            await merging.handle(batch)

    @app.timer(TICK_SECONDS)  # type: ignore[untyped-decorator]
    async def tick() -> None:
        await silence.tick()

    @app.task  # type: ignore[untyped-decorator]
    async def report_unreadable_baselines() -> None:
        while True:
            letter = await baselines.unreadable.get()
            await until_done(
                lambda: publisher.dead_letters([letter]),  # noqa: B023  # awaited before the next one is taken
                lambda pause: log.exception("%s is not on dead-letters yet, next try in %g s", letter.id, pause),  # noqa: B023
                lambda: bool(app.should_stop),
                _CLOCK,
            )
            telemetry.dead_letters.labels(letter.reason).inc()

    app.stored_next = lambda: {source.at(number): offset for number, offset in owned.next_offsets.items()}
    app.when_unwritten = lambda error: _fail(
        failure, f"state could not be written ({error!r}): see the broker's limits"
    )
    app.when_rebalancing = lambda: _rebalancing(telemetry)
    app.when_ready = lambda: _ready(telemetry, source, partials_source)
    app.finalize()
    return app


def _rebalancing(telemetry: Telemetry) -> None:
    telemetry.rebalances.inc()
    telemetry.ready.set(0)


def _ready(telemetry: Telemetry, source: TopicSource, partials_source: TopicSource) -> None:
    telemetry.ready.set(1)
    log.info("ready: counting partitions %s, merging %s", sorted(source.partitions), sorted(partials_source.partitions))


def _restoring(
    restore: Callable[[Iterable[int]], None], source: TopicSource, topic: str, failure: asyncio.Future[StreamError]
) -> Callable[[], None]:
    """Faust drops what a recovery callback raises, and would begin with a state half read."""

    def restored() -> None:
        try:
            restore(source.partitions)
        except InvalidMessage as error:
            _fail(
                failure,
                f"the state in topic {topic} cannot be read ({error}): run the version that wrote it, or choose "
                "another STREAM_APP_ID to count everything anew",
            )

    return restored


def _fail(failure: asyncio.Future[StreamError], words: str) -> None:
    if not failure.done():
        failure.set_result(StateError(words))
