"""Composition root of `python -m stream_app performance`: the same delivery as a worker's, with labels to count."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

from contracts.topics import ALERT_MUTES, BASELINES, DRIFT_ALERTS, DRIFT_REPORTS, LABEL_PARTIALS, LABELS, PERFORMANCE
from stream_app.agents.configured import addresses, label_config, label_limits, performance_rule, policy_config
from stream_app.agents.label_counting import LabelCounting, OwnedLabels
from stream_app.agents.publishing import Publisher
from stream_app.agents.revising import Revising, RevisingConfig
from stream_app.agents.silence import Silence
from stream_app.alerting.known_alerts import Alerts
from stream_app.app import CLOCK, TICK_SECONDS, connect, fail, report_unreadable, restoring
from stream_app.baselines import Baselines
from stream_app.coverage import Coverage
from stream_app.delivery.configuration import faust_settings, fetching
from stream_app.delivery.framework import App
from stream_app.delivery.source import TopicSource
from stream_app.errors import StreamError
from stream_app.label_telemetry import LabelTelemetry
from stream_app.labelling.revised_state import age_of_revised
from stream_app.labelling.state import age_of_labels
from stream_app.readiness import Waiting
from stream_app.settings import StreamSettings
from stream_app.topic_layout import Process, check_layout

_DAY_MS = 86_400_000


class Performance:
    """The Job (lifecycle.py) that counts `labels`."""

    process: Process = "performance"

    def __init__(self, settings: StreamSettings, telemetry: LabelTelemetry) -> None:
        self._settings, self._telemetry = settings, telemetry
        self._policy = policy_config(settings)
        self._baselines = Baselines(settings.bootstrap, settings.topic(BASELINES))
        topics = settings.topic(DRIFT_ALERTS), settings.topic(ALERT_MUTES)
        self._alerts = Alerts(settings.bootstrap, *topics, self._policy.page_after, subject="performance")
        windows = label_config(settings)
        keep = windows.delay_ms + 2 * windows.size_ms + _DAY_MS
        self._coverage = Coverage(
            settings.bootstrap, settings.topic(DRIFT_REPORTS), settings.source, CLOCK.wall_ms() - keep, keep
        )

    async def follow(self, waiting: Waiting) -> None:
        """Baselines, alerts, mutes and how many predictions windows have."""
        followed = self._baselines, self._alerts, self._coverage
        await asyncio.gather(*(waiting.until_ready(one.start) for one in followed))

    async def unfollow(self) -> None:
        """See Job."""
        await asyncio.gather(self._baselines.stop(), self._alerts.stop(), self._coverage.stop())

    def app(self, existing: dict[str, int], failure: asyncio.Future[StreamError]) -> App:
        """See Job."""
        settings, telemetry, baselines = self._settings, self._telemetry, self._baselines
        layout = check_layout(settings, existing, self.process)
        labels, partials = settings.topic(LABELS), settings.topic(LABEL_PARTIALS)
        app = App(settings.performance_group, fetching=fetching(settings, labels, partials), **faust_settings(settings))
        publisher = Publisher(app, addresses(settings, existing, LABEL_PARTIALS, PERFORMANCE), settings.source)

        source = TopicSource(app, labels, layout.source)
        counts = app.state_table(
            "labels",
            layout.source,
            age_of_labels,
            restoring(lambda numbers: owned.restore(numbers), source, settings.labels_topic, failure),
        )
        name, config = settings.worker_id or f"{socket.gethostname()}/{os.getpid()}", label_config(settings)
        every = settings.performance_seconds
        owned = OwnedLabels(config, every / 2, source, counts, publisher, CLOCK, telemetry, name)
        counting = LabelCounting(
            *(labels, label_limits(settings), config.size_ms, owned, baselines, telemetry),
            cannot_go_on=lambda words: fail(failure, words),
        )
        silence = Silence(labels, settings.idle_seconds, owned, telemetry, lambda words: fail(failure, words))

        partials_source = TopicSource(app, partials, layout.partials)
        revisions = app.state_table(
            "revisions",
            layout.partials,
            age_of_revised,
            restoring(lambda numbers: revising.restore(numbers), partials_source, settings.revisions_topic, failure),
        )
        revising = Revising(
            partials,
            RevisingConfig(config.delay_ms, every, performance_rule(settings), self._policy),
            *(partials_source, revisions, publisher, baselines, self._alerts, self._coverage, telemetry, CLOCK),
            cannot_go_on=lambda words: fail(failure, words),
        )

        @app.agent(app.batched_topic(labels), name="count_labels", concurrency=1)  # type: ignore[untyped-decorator]
        async def count_labels(batches: Any) -> None:
            async for batch in batches:
                await counting.handle(batch)

        @app.agent(app.batched_topic(partials), name="revise", concurrency=1)  # type: ignore[untyped-decorator]
        async def revise(batches: Any) -> None:
            async for batch in batches:
                await revising.handle(batch)

        @app.timer(TICK_SECONDS)  # type: ignore[untyped-decorator]
        async def tick() -> None:
            await silence.tick()

        report_unreadable(app, baselines, publisher, telemetry)
        app.stored_next = lambda: {source.at(number): offset for number, offset in owned.next_offsets.items()}
        connect(app, telemetry, failure, source, partials_source)
        return app
