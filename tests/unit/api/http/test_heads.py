"""The lines before an answer's body, as uvicorn would write them."""

import pytest

from api.http.heads import Heads
from api.http.problems import Reply, of_error
from api.http.responses import head_lines, raw_headers


def test_the_first_lines_are_the_status_and_the_servers_own_headers():
    assert Heads().of(200, [(b"date", b"today"), (b"X-A", b"1")]) == b"HTTP/1.1 200 OK\r\ndate: today\r\nx-a: 1\r\n"
    assert Heads().of(503, []) == b"HTTP/1.1 503 Service Unavailable\r\n"


def test_they_follow_the_servers_headers_and_are_written_once_for_each_status():
    heads, first, second = Heads(), [(b"date", b"1")], [(b"date", b"2")]

    assert heads.of(200, first) is heads.of(200, first)
    assert heads.of(400, first) == b"HTTP/1.1 400 Bad Request\r\ndate: 1\r\n"
    assert heads.of(200, second) == b"HTTP/1.1 200 OK\r\ndate: 2\r\n"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"{}"),
        Reply(200, b"", request_id="r-1"),
        Reply(429, b"{}", "application/problem+json", (("retry-after", "1"), ("ratelimit", '"rows"')), "r-1"),
        of_error(RuntimeError("a bug")),
    ],
)
def test_the_headers_are_sent_as_they_are_told_to_asgi(reply: Reply):
    assert head_lines(reply) == b"".join(name + b": " + value + b"\r\n" for name, value in raw_headers(reply))
