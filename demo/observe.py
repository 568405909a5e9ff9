"""What the demo sees from outside: reports on their topic, and alerts in the receiver's file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.alerts import DriftAlert
from contracts.reports import DriftReport, decode_report
from contracts.topics import DRIFT_REPORTS
from demo.receipts import Receipt

_POLL_SECONDS = 0.05


_receipt = msgspec.json.Decoder(Receipt)


async def watch_reports(bootstrap: str, on_report: Callable[[DriftReport], None]) -> None:
    """Every report from the topic's beginning on, until cancelled."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(DRIFT_REPORTS.name, 0)])
        async for record in consumer:
            on_report(decode_report(record.value))
    finally:
        await consumer.stop()


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
