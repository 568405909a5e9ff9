"""Composition root of the worker: settings become a Faust app with its topics, state tables, agents and timer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from contracts.errors import InvalidMessage
from contracts.topics import BASELINES, DEAD_LETTERS, DRIFT_ALERTS, DRIFT_REPORTS, PREDICTIONS, WINDOW_PARTIALS
from stream_app import admin
from stream_app.agents.counting import Counting
from stream_app.agents.merging import Merging, MergingConfig
from stream_app.agents.owned import Owned
from stream_app.agents.patience import Clock, until_done
from stream_app.agents.publishing import Address, Addresses, Publisher
from stream_app.agents.silence import Silence
from stream_app.alerting.policy import InvalidPolicy, PolicyConfig
from stream_app.baselines import Baselines
from stream_app.delivery.configuration import faust_settings, fetching
from stream_app.delivery.framework import App
from stream_app.delivery.source import TopicSource
from stream_app.delivery.tables import Age
from stream_app.drift.rule import PRESETS, DecisionRule
from stream_app.errors import SettingsError, StateError, StreamError
from stream_app.settings import StreamSettings
from stream_app.telemetry import Telemetry
from stream_app.windowing.decoding import Limits
from stream_app.windowing.merged_state import age_of_merged
from stream_app.windowing.merger import MergerConfig
from stream_app.windowing.state import age_of
from stream_app.windowing.tumbling import WindowConfig

log = logging.getLogger(__name__)
TICK_SECONDS = 0.5
_STOP_SECONDS = 30.0
_CLOCK = Clock(wall_ms=lambda: time.time_ns() // 1_000_000, seconds=time.monotonic)


async def run(settings: StreamSettings, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Work until `stop` is set, then finish, commit and leave the group. Raises StreamError when it cannot go on."""
    rule, policy = decision_rule(settings), policy_config(settings)
    async with admin.connected(settings, log.warning) as client:
        layout = admin.check(settings, existing := await admin.partitions(client))
    baselines = Baselines(settings.bootstrap, settings.topic(BASELINES))
    await baselines.start()
    failure: asyncio.Future[StreamError] = asyncio.get_running_loop().create_future()
    config = MergingConfig(merger=MergerConfig(minimum_rows=rule.n_min), rule=rule, policy=policy)
    app = create_app(settings, layout, addresses(settings, existing), config, baselines, telemetry, failure)
    starting = asyncio.create_task(app.start())
    stopped, crashed = asyncio.create_task(stop.wait()), asyncio.create_task(app.wait())
    try:
        await asyncio.wait({stopped, crashed, failure}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _stop(app, starting, stopped, crashed)
        await baselines.stop()
    if failure.done():
        raise failure.result()
    if app.crash_reason is not None:
        raise StreamError(f"the worker cannot go on: {app.crash_reason}") from app.crash_reason


async def _stop(app: App, *tasks: asyncio.Task[Any]) -> None:
    log.info("stopping: what was begun is finished and committed")
    try:
        await asyncio.wait_for(app.stop(), _STOP_SECONDS)
    except TimeoutError:
        log.warning("not stopped within %g s; what is not committed is read again", _STOP_SECONDS)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def decision_rule(settings: StreamSettings) -> DecisionRule:
    """The preset with this installation's least number of rows. Raises SettingsError."""
    if settings.preset not in PRESETS:
        raise SettingsError(f"STREAM_PRESET={settings.preset}: no such rule; there are {', '.join(sorted(PRESETS))}")
    return msgspec.structs.replace(PRESETS[settings.preset], n_min=settings.n_min)


def policy_config(settings: StreamSettings) -> PolicyConfig:
    """When to page. Raises SettingsError."""
    try:
        return PolicyConfig(
            page_after=settings.page_after,
            of_last=settings.page_of_last,
            resolve_after=settings.resolve_after,
            critical_effect=settings.critical_effect,
            critical_rate_jump=settings.critical_rate_jump,
        )
    except InvalidPolicy as error:
        raise SettingsError(f"STREAM_PAGE_AFTER, STREAM_PAGE_OF_LAST: {error}") from error


def addresses(settings: StreamSettings, existing: dict[str, int]) -> Addresses:
    """Where the worker writes, with the partitions that the broker has."""

    def address(name: str) -> Address:
        return Address(name, existing[name])

    return Addresses(
        partials=address(settings.topic(WINDOW_PARTIALS)),
        reports=address(settings.topic(DRIFT_REPORTS)),
        alerts=address(settings.topic(DRIFT_ALERTS)),
        dead_letters=address(settings.topic(DEAD_LETTERS)),
    )


def create_app(
    settings: StreamSettings,
    layout: admin.Layout,
    to: Addresses,
    config: MergingConfig,
    baselines: Baselines,
    telemetry: Telemetry,
    failure: asyncio.Future[StreamError],
) -> App:
    """Everything built and connected; nothing started. failure: set when stored state cannot be read."""
    predictions, partials = settings.topic(PREDICTIONS), settings.topic(WINDOW_PARTIALS)
    app = App(settings.group, fetching=fetching(settings, predictions, partials), **faust_settings(settings))
    publisher = Publisher(app, to)

    source = TopicSource(app, predictions, layout.predictions)
    counts = app.state_table(
        "counts",
        layout.predictions,
        _age(age_of),
        _restoring(lambda numbers: owned.restore(numbers), source, settings.counts_topic, failure),
    )
    windows = WindowConfig(settings.window_seconds * 1000, round(settings.lateness_seconds * 1000))
    limits = Limits(round(settings.max_future_seconds * 1000), round(settings.max_age_seconds * 1000))
    owned = Owned(windows, source, counts, publisher, baselines, _CLOCK)
    counting = Counting(predictions, limits, owned, baselines, telemetry)
    silence = Silence(predictions, settings.idle_seconds, owned, telemetry)

    partials_source = TopicSource(app, partials, layout.partials)
    merged = app.state_table(
        "windows",
        layout.partials,
        _age(age_of_merged),
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


def _age(age: Age) -> Age:
    """An unreadable value is kept as the youngest, so that restoring it says what is wrong; Faust would only log it."""

    def age_or_youngest(key: bytes, value: bytes) -> Any:
        try:
            return age(key, value)
        except InvalidMessage:
            return (1 << 62,)

    return age_or_youngest


def _restoring(
    restore: Callable[[Iterable[int]], None], source: TopicSource, topic: str, failure: asyncio.Future[StreamError]
) -> Callable[[], None]:
    """Faust drops what a recovery callback raises, and would begin with a state half read."""

    def restored() -> None:
        try:
            restore(source.partitions)
        except InvalidMessage as error:
            if not failure.done():
                failure.set_result(
                    StateError(
                        f"the state in topic {topic} cannot be read ({error}): run the version that wrote it, or "
                        "choose another STREAM_APP_ID to count everything anew"
                    )
                )

    return restored
