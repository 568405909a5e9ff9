"""Kafka's addresses as every service takes them: `host:port[,host:port]`, checked before anybody connects."""

from __future__ import annotations

_EXAMPLE = "127.0.0.1:9092"


def kafka_addresses(value: str) -> str:
    """The value, when each of its addresses can be one; what a connection would raise for it is no clear line.

    Raises ValueError that names the address.

    >>> kafka_addresses("a:9092,b:9093")
    'a:9092,b:9093'
    """
    for address in value.split(","):
        host, _, port = address.rpartition(":")
        if not host or any(c.isspace() or c == ":" for c in host) or not (port.isascii() and port.isdigit()):
            raise ValueError(f"{address!r} is not host:port, for example {_EXAMPLE}")
        if not 0 < int(port) < 65536:
            raise ValueError(f"{address!r} has no port between 1 and 65535")
        try:
            host.encode("idna")  # as the resolver will, whose UnicodeError nobody catches
        except UnicodeError:
            raise ValueError(f"{host!r} is no name of a host") from None
    return value
