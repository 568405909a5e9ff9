"""Composition root of the worker: settings become a Faust app with its topics, state tables, agents and timer."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

from contracts.errors import InvalidMessage
from contracts.topics import PREDICTIONS, WINDOW_PARTIALS
from stream_app.agents.configured import addresses, limits, window_config
from stream_app.agents.counting import Counting
from stream_app.agents.merging import Merging, MergingConfig
from stream_app.agents.owned import Owned
from stream_app.agents.patience import Clock, until_done
from stream_app.agents.publishing import Publisher
from stream_app.agents.silence import Silence
from stream_app.alerting.known_alerts import Alerts
from stream_app.baselines import Baselines
from stream_app.delivery.configuration import faust_settings, fetching
from stream_app.delivery.framework import App
from stream_app.delivery.source import TopicSource
from stream_app.errors import StateError, StreamError
from stream_app.settings import StreamSettings
from stream_app.telemetry import Telemetry
from stream_app.topic_layout import OTHER_STATE, check_layout
from stream_app.windowing.accumulator import OtherLength
from stream_app.windowing.merged_state import age_of_merged
from stream_app.windowing.state import age_of

log = logging.getLogger(__name__)
TICK_SECONDS = 0.5
CLOCK = Clock(wall_ms=lambda: time.time_ns() // 1_000_000, seconds=time.monotonic)


def create_app(
    settings: StreamSettings,
    existing: dict[str, int],
    config: MergingConfig,
    baselines: Baselines,
    alerts: Alerts,
    telemetry: Telemetry,
    failure: asyncio.Future[StreamError],
) -> App:
    """Everything built and connected; nothing started. existing: partitions of every topic.

    failure: set when state cannot be read or written.
    """
    layout, to = check_layout(settings, existing), addresses(settings, existing)
    predictions, partials = settings.topic(PREDICTIONS), settings.topic(WINDOW_PARTIALS)
    app = App(settings.group, fetching=fetching(settings, predictions, partials), **faust_settings(settings))
    publisher = Publisher(app, to, settings.source)

    source = TopicSource(app, predictions, layout.source)
    counts = app.state_table(
        "counts",
        layout.source,
        age_of,
        restoring(lambda numbers: owned.restore(numbers), source, settings.counts_topic, failure),
    )
    name = settings.worker_id or f"{socket.gethostname()}/{os.getpid()}"
    owned = Owned(window_config(settings), source, counts, publisher, baselines, CLOCK, telemetry, name)
    counting = Counting(
        *(predictions, limits(settings), owned, baselines, telemetry),
        cannot_go_on=lambda words: fail(failure, words),
    )
    silence = Silence(predictions, settings.idle_seconds, owned, telemetry, lambda words: fail(failure, words))

    partials_source = TopicSource(app, partials, layout.partials)
    merged = app.state_table(
        "windows",
        layout.partials,
        age_of_merged,
        restoring(lambda numbers: merging.restore(numbers), partials_source, settings.windows_topic, failure),
    )
    merging = Merging(
        *(partials, config, partials_source, merged, publisher, baselines, alerts, telemetry, CLOCK),
        cannot_go_on=lambda words: fail(failure, words),
    )

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

    report_unreadable(app, baselines, publisher, telemetry)
    app.stored_next = lambda: {source.at(number): offset for number, offset in owned.next_offsets.items()}
    connect(app, telemetry, failure, source, partials_source)
    return app


def connect(
    app: App,
    telemetry: Telemetry,
    failure: asyncio.Future[StreamError],
    source: TopicSource,
    partials_source: TopicSource,
) -> None:
    """What is built is complete: say what is to be done when something happens to it."""
    app.when_covered = telemetry.covered.inc
    app.when_unwritten = lambda error: fail(failure, f"state could not be written ({error!r}): see the broker's limits")
    app.when_rebalancing = lambda: telemetry.rebalance_began(CLOCK.seconds())
    app.when_ready = lambda: _ready(telemetry, source, partials_source)
    app.finalize()


def report_unreadable(app: App, baselines: Baselines, publisher: Publisher, telemetry: Telemetry) -> None:
    """Add the task that makes dead letters of the records of `baselines` that are none."""

    @app.task  # type: ignore[untyped-decorator]
    async def report_unreadable_baselines() -> None:
        while True:
            letter = await baselines.unreadable.get()
            await until_done(
                lambda: publisher.dead_letters([letter]),  # noqa: B023  # awaited before the next one is taken
                lambda pause: log.exception("%s is not on dead-letters yet, next try in %g s", letter.id, pause),  # noqa: B023
                lambda: bool(app.should_stop),
                CLOCK,
            )
            telemetry.dead_letters.labels(letter.reason).inc()


def _ready(telemetry: Telemetry, source: TopicSource, partials_source: TopicSource) -> None:
    telemetry.rebalance_ended(CLOCK.seconds())
    log.info("ready: counting partitions %s, merging %s", sorted(source.partitions), sorted(partials_source.partitions))


def restoring(
    restore: Callable[[Iterable[int]], None], source: TopicSource, topic: str, failure: asyncio.Future[StreamError]
) -> Callable[[], None]:
    """Faust drops what a recovery callback raises, and would begin with a state half read."""

    def restored() -> None:
        if (highest := max(source.partitions, default=-1)) >= source.count:
            fail(
                failure,
                f"partition {highest} of topic {source.topic} was added while this worker ran, and there is no state "
                f"for it: {OTHER_STATE}",
            )
            return
        try:
            restore(source.partitions)
        except OtherLength as error:
            fail(failure, f"the state in topic {topic} does not fit the settings: {error}")
        except InvalidMessage as error:
            fail(
                failure,
                f"the state in topic {topic} cannot be read ({error}): run the version that wrote it, or choose "
                "another STREAM_APP_ID to count everything anew",
            )

    return restored


def fail(failure: asyncio.Future[StreamError], words: str) -> None:
    if not failure.done():
        failure.set_result(StateError(words))
