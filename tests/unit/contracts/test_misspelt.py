"""A variable that is nearly a setting is told; what is right, another program's or Kubernetes' own is not."""

from __future__ import annotations

import pytest

from contracts.misspelt import misspelt

FIELDS = ("port", "topic_prefix", "performance_seconds", "file_path", "metrics_port")
PREFIXES = ("API_", "STREAM_", "SINK_", "TRAINING_")


def told(*names: str, prefix: str = "STREAM_") -> list[str]:
    return list(misspelt(names, prefix, FIELDS))


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_slip_is_told_with_the_setting_that_was_meant(prefix: str) -> None:
    names = (f"{prefix}TOPIC_PERFIX", f"{prefix}PROT", f"{prefix}METRIC_PORT")
    assert told(*names, prefix=prefix) == [
        f"{prefix}METRIC_PORT is no setting; did you mean {prefix}METRICS_PORT?",
        f"{prefix}PROT is no setting; did you mean {prefix}PORT?",
        f"{prefix}TOPIC_PERFIX is no setting; did you mean {prefix}TOPIC_PREFIX?",
    ]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_what_is_right_or_far_from_any_setting_is_not_told(prefix: str) -> None:
    right = [f"{prefix}{field}".upper() for field in FIELDS]
    assert told(*right, f"{prefix}GATEWAY", f"{prefix}topic_prefix".lower(), "TOPIC_PERFIX", prefix=prefix) == []


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("service", ["", "FILE_", "PERFORMANCE_", "METRIC_"])
def test_what_kubernetes_sets_for_a_service_of_that_name_is_not_told(prefix: str, service: str) -> None:
    name = f"{prefix}{service}".removesuffix("_")
    of_kubernetes = [
        *(f"{name}_SERVICE_{what}" for what in ("HOST", "PORT", "PORT_HTTP")),
        f"{name}_PORT",
        *(f"{name}_PORT_8000_TCP{what}" for what in ("", "_PROTO", "_PORT", "_ADDR")),
    ]
    assert told(*of_kubernetes, prefix=prefix) == []
    assert told(*of_kubernetes, f"{prefix}TOPIC_PERFIX", prefix=prefix) != []


def test_a_port_is_no_service_where_kubernetes_tells_of_none() -> None:
    assert told("STREAM_FILE_PORT") == ["STREAM_FILE_PORT is no setting; did you mean STREAM_FILE_PATH?"]
