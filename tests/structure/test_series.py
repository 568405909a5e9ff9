"""The Prometheus series of docs/operations.md are those of the code, and the other way round."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from api.telemetry import Telemetry as Api
from stream_app.alerting.telemetry import SinkTelemetry as Sink
from stream_app.label_telemetry import LabelTelemetry as Labels
from stream_app.telemetry import PAGE
from stream_app.telemetry import Telemetry as Stream

PAGE_OF_DOCS = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
TO_PAGE = PAGE_OF_DOCS.split("| series | page when |")[1].split("\n\n")[0]


def names(registry: CollectorRegistry) -> set[str]:
    """As a scrape has them; a histogram by its own name."""
    return {metric.name + ("_total" if metric.type == "counter" else "") for metric in registry.collect()}


def test_every_series_named_in_the_docs_exists() -> None:
    sink = CollectorRegistry()
    Sink("webhook", sink)
    known = names(Stream().registry) | names(Labels().registry) | names(Api().registry) | names(sink)
    named = set(re.findall(r"`(tidemark_[a-z_0-9]+)", PAGE_OF_DOCS))
    assert named
    assert named - known == set()


def test_every_series_of_a_worker_is_in_the_docs() -> None:
    named = set(re.findall(r"`(tidemark_stream_[a-z_0-9]+)", PAGE_OF_DOCS))
    assert names(Stream().registry) - named == set()


def test_every_series_of_the_api_is_in_the_docs() -> None:
    named = set(re.findall(r"`(tidemark_api_[a-z_0-9]+)", PAGE_OF_DOCS))
    assert names(Api().registry) - named == set()


def test_every_series_of_what_counts_labels_is_a_worker_s_under_another_name_or_in_the_docs() -> None:
    of_a_worker = {name.replace("tidemark_stream_", "tidemark_performance_") for name in names(Stream().registry)}
    named = set(re.findall(r"`(tidemark_performance_[a-z_0-9]+)", PAGE_OF_DOCS))
    assert names(Labels().registry) - of_a_worker == named


def test_the_series_of_a_worker_to_page_on_are_those_of_the_code() -> None:
    assert set(re.findall(r"`tidemark_stream_([^`]+)`", TO_PAGE)) == set(PAGE)
