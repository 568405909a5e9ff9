"""`python -m stream_app sink NAME`: builds one sink with its consumer and runs it until SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import sys
import time
from contextlib import AsyncExitStack
from functools import partial

from prometheus_client import CollectorRegistry, start_http_server

from contracts.topics import DEAD_LETTERS, DRIFT_ALERTS
from stream_app.alerting import broker
from stream_app.alerting.courier import Courier, pause
from stream_app.alerting.errors import SinkSettingsError
from stream_app.alerting.reader import AlertReader
from stream_app.alerting.replaying import SOURCE
from stream_app.alerting.retry import Limits
from stream_app.alerting.settings import SinkSettings, both, load
from stream_app.alerting.sink import Sink, sink_named, slips
from stream_app.alerting.telemetry import SinkTelemetry

_log = logging.getLogger(__name__)


def run_sink(name: str) -> int:
    """Deliver alerts to the sink of this name until SIGTERM or SIGINT. Returns the exit status.

    0: stopped as asked. 2: a setting or the name is wrong, said in one line on standard error.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # once a second while the broker is away; we say it once
    for line in slips(os.environ):
        print(f"sink {name}: {line}", file=sys.stderr)
    try:
        settings, sink = both(lambda: load(SinkSettings), sink_named(name).from_environment)
        telemetry = SinkTelemetry(name, CollectorRegistry())
        if settings.metrics_port is not None:
            _serve_metrics(settings.metrics_host, settings.metrics_port, telemetry)
    except SinkSettingsError as error:
        print(f"sink {name}: {error}", file=sys.stderr)
        return 2
    asyncio.run(_run(sink, settings, telemetry))
    return 0


def _serve_metrics(host: str, port: int, telemetry: SinkTelemetry) -> None:
    try:
        start_http_server(port, addr=host, registry=telemetry.registry)
    except OSError as error:
        raise SinkSettingsError(
            f"SINK_METRICS_PORT={port}: cannot listen on {host}:{port}: {error.strerror}; choose another port"
        ) from error


async def _run(sink: Sink, settings: SinkSettings, telemetry: SinkTelemetry) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        _log.info("sink %s: stopping; an attempt under way ends first", sink.name)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    alerts, letters = (topic.named(settings.topic_prefix) for topic in (DRIFT_ALERTS, DEAD_LETTERS))

    async def wait(seconds: float) -> bool:
        return await pause(stopping, seconds)

    async with AsyncExitStack() as stack:
        stack.push_async_callback(sink.close)
        clients = []
        for make in (broker.consumer_of, broker.producer_of):
            client = await broker.started(partial(make, sink.name, settings), settings.bootstrap, wait)
            if client is None:
                return
            stack.push_async_callback(broker.stop, client)
            clients.append(client)
        consumer, producer = clients
        if not await broker.topics_exist(consumer, (alerts, letters), wait):
            return
        _log.info("sink %s: %s -> %s", sink.name, alerts, sink.destination)
        courier = Courier(
            sink,
            broker.KafkaDeadLetters(producer, letters, f"{SOURCE}{sink.name}"),
            _limits(settings),
            telemetry,
            random=random.random,
            clock=time.monotonic,
        )
        earlier = partial(broker.finished_beyond, sink.name, settings)
        await AlertReader(sink.name, consumer, alerts, courier.handle, earlier, telemetry, time.time).run(stopping)


def _limits(settings: SinkSettings) -> Limits:
    return Limits(
        attempts=settings.attempts,
        give_up_after=settings.give_up_after_seconds,
        first_delay=settings.first_delay_seconds,
        greatest_delay=settings.greatest_delay_seconds,
    )
