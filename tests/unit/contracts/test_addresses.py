"""Kafka's addresses: what can be one passes, what cannot is named."""

from __future__ import annotations

import pytest

from contracts.addresses import kafka_addresses


def test_addresses_that_can_be_connected_to_are_taken_as_they_are() -> None:
    assert kafka_addresses("kafka-0.local:9092,127.0.0.1:65535") == "kafka-0.local:9092,127.0.0.1:65535"


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("localhost", "'localhost' is not host:port"),
        ("", "'' is not host:port"),
        (":9092", "':9092' is not host:port"),
        ("a:9092, b:9092", "' b:9092' is not host:port"),
        ("a:9092,a:b:9092", "'a:b:9092' is not host:port"),
        ("a:9092,b:65536", "'b:65536' has no port between 1 and 65535"),
        ("a:0", "'a:0' has no port between 1 and 65535"),
        ("a:٣", "'a:٣' is not host:port"),
        ("a..b:9092", "'a..b' is no name of a host"),
    ],
)
def test_what_cannot_be_an_address_is_named(value: str, line: str) -> None:
    with pytest.raises(ValueError, match=line):
        kafka_addresses(value)
