"""The audit's reading, on topics in memory."""

from __future__ import annotations

import pytest

from contracts.dead_letters import DeadLetter, encode_dead_letter
from contracts.performance import encode_performance
from contracts.reports import encode_report
from contracts.topics import DEAD_LETTERS, DRIFT_REPORTS, PERFORMANCE
from stream_app.audit.label_reading import audit_labels
from stream_app.audit.reading import audit
from stream_app.settings import StreamSettings
from tests.builders import NOON_MS
from tests.unit.stream_app.audit.memory_kafka import FETCHED, MemoryKafka
from tests.unit.stream_app.audit.test_audit import a_report
from tests.unit.stream_app.audit.test_label_checks import report_of

SETTINGS = StreamSettings(bootstrap="nowhere:9092")
MANY = 40 * FETCHED


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> MemoryKafka:
    kafka = MemoryKafka()
    kafka.instead_of_a_broker(monkeypatch)
    return kafka


async def test_of_reports_and_dead_letters_no_record_is_kept(kafka: MemoryKafka) -> None:
    for minute in range(MANY):
        kafka.write(SETTINGS.topic(DRIFT_REPORTS), b"", encode_report(a_report(minute, 60)))
        letter = DeadLetter(reason="malformed", detail="", topic="predictions", partition=0, offset=minute)
        kafka.write(SETTINGS.topic(DEAD_LETTERS), b"", encode_dead_letter(letter))
    await audit(SETTINGS)
    assert kafka.most_alive <= 3 * FETCHED


async def test_of_reports_of_performance_no_record_is_kept(kafka: MemoryKafka) -> None:
    for minute in range(MANY):
        report = report_of(4 * minute, minute, 0, NOON_MS, final=False)
        kafka.write(SETTINGS.topic(PERFORMANCE), b"", encode_performance(report))
    await audit_labels(SETTINGS)
    assert kafka.most_alive <= 3 * FETCHED
