"""What the demo sees from outside: reports and steps on their topics, and alerts in the receiver's file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.alerts import DriftAlert
from contracts.model_events import ModelEvent, decode_model_event
from contracts.performance import PerformanceReport, decode_performance
from contracts.reports import DriftReport, decode_report
from contracts.topics import DRIFT_REPORTS, MODEL_EVENTS, PERFORMANCE, Topic
from demo.receipts import Receipt
from stream_app.readiness import stopped

_POLL_SECONDS = 0.05


_receipt = msgspec.json.Decoder(Receipt)


async def watch_reports(bootstrap: str, on_report: Callable[[DriftReport], None]) -> None:
    """Every report from the topic's beginning on, until cancelled."""
    await _watch(bootstrap, DRIFT_REPORTS, lambda data: on_report(decode_report(data)))


async def watch_performance(bootstrap: str, on_report: Callable[[PerformanceReport], None]) -> None:
    """Every revision, likewise."""
    await _watch(bootstrap, PERFORMANCE, lambda data: on_report(decode_performance(data)))


async def watch_steps(bootstrap: str, on_step: Callable[[ModelEvent], None]) -> None:
    """Every step of a model, likewise."""
    await _watch(bootstrap, MODEL_EVENTS, lambda data: on_step(decode_model_event(data)))


async def _watch(bootstrap: str, topic: Topic, hear: Callable[[bytes], None]) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic.name, number) for number in range(topic.partitions)])
        async for record in consumer:
            hear(record.value)
    finally:
        await stopped(consumer)


async def watch_alerts(file: Path, on_alert: Callable[[DriftAlert, float], None]) -> None:
    """Every alert that the receiver took, once, until cancelled."""
    position = 0
    while True:
        receipts, position = _read_from(file, position)
        for receipt in receipts:
            if not receipt.repeated:
                on_alert(receipt.alert, receipt.received)
        await asyncio.sleep(_POLL_SECONDS)


def _read_from(file: Path, position: int) -> tuple[list[Receipt], int]:
    """The whole lines after a position, and the position after them; a line still being written is left for later."""
    if not file.exists():
        return [], position
    with file.open("rb") as lines:
        lines.seek(position)
        whole = [line for line in lines if line.endswith(b"\n")]
    return [_receipt.decode(line) for line in whole], position + sum(map(len, whole))
