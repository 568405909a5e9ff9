"""Coverage: predictions of a window are those that somebody was answered with."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import pytest

from contracts.reports import DriftReport, encode_report
from stream_app.coverage import Coverage
from tests.builders import NOON_MS
from tests.contracts.messages import REPORT

_DAY_MS = 86_400_000


class Record(NamedTuple):
    """As aiokafka gives it."""

    value: bytes
    headers: list[tuple[str, bytes]]
    topic: str = "drift-reports"
    partition: int = 0
    offset: int = 0


def learnt(*reports: DriftReport, source: str = "tidemark", value: bytes | None = None) -> Coverage:
    coverage = Coverage("nowhere:9092", "drift-reports", "tidemark", NOON_MS - _DAY_MS, _DAY_MS)
    for report in reports:
        coverage.learn(Record(value or encode_report(report), [("ce_source", source.encode())]))
    return coverage


def told(**changed: Any) -> DriftReport:
    return msgspec.structs.replace(REPORT, model="flights", version="2", window_start=REPORT.window_start, **changed)


def start() -> int:
    return round(REPORT.window_start.timestamp() * 1000)


@pytest.mark.parametrize(("rows", "shadow_rows", "predictions"), [(1_000, 0, 1_000), (1_000, 400, 600), (7, 7, 0)])
def test_a_shadows_rows_are_no_predictions(rows: int, shadow_rows: int, predictions: int) -> None:
    coverage = learnt(told(rows=rows, shadow_rows=shadow_rows))
    assert coverage.predictions("flights", "2", start()) == predictions
    assert coverage.predictions("flights", "3", start()) is None


def test_a_report_of_a_version_that_did_not_tell_shadows_counts_all_rows() -> None:
    written = msgspec.json.decode(encode_report(told(rows=1_000)))
    del written["shadow_rows"]
    coverage = learnt(told(rows=1_000), value=msgspec.json.encode(written))
    assert coverage.predictions("flights", "2", start()) == 1_000


def test_reports_of_another_installation_do_not_count() -> None:
    coverage = learnt(told(rows=1_000), source="another")
    assert (coverage.predictions("flights", "2", start()), coverage.learnt) == (None, 0)
