"""Servers that answer wrongly: ready is only who speaks the right protocol."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from demo.stack.readiness import kafka_answers, redis_answers

KAFKA_OK = struct.pack(">iih", 6, 1, 0)


@contextmanager
def server_that_says(answer: bytes) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(100)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def test_a_broker_that_answers_the_request_is_ready() -> None:
    with server_that_says(KAFKA_OK) as port:
        assert kafka_answers(port)


@pytest.mark.parametrize(
    "answer",
    [b"", KAFKA_OK[:5], struct.pack(">iih", 6, 2, 0), struct.pack(">iih", 6, 1, 35), b"HTTP/1.1 400"],
    ids=["nothing", "half", "another request's", "error", "another protocol"],
)
def test_whoever_answers_something_else_is_not_a_ready_broker(answer: bytes) -> None:
    with server_that_says(answer) as port:
        assert not kafka_answers(port)


def test_a_redis_that_still_loads_is_not_ready() -> None:
    with server_that_says(b"-LOADING Redis is loading the dataset in memory\r\n") as port:
        assert not redis_answers(port)
    with server_that_says(b"+PONG\r\n") as port:
        assert redis_answers(port)


def test_nobody_is_not_ready() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert not kafka_answers(port)
    assert not redis_answers(port)
