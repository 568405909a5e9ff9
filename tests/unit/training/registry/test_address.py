"""The look at a registry's address, with a real HTTP server behind it."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from training.errors import RegistryError
from training.registry.address import check_there

Asked = list[tuple[str, str | None]]
"""Path and Authorization of each request."""


@contextmanager
def a_server(expects: str | None = None, sends_to: str | None = None) -> Iterator[tuple[str, Asked]]:
    """Its host:port and what it was asked. expects: the only Authorization that is let in. sends_to: it redirects."""
    asked: Asked = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = self.headers["Authorization"]
            asked.append((self.path, given))
            self.send_response(302 if sends_to else 200 if expects in (None, given) else 401)
            if sends_to:
                self.send_header("Location", sends_to)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def basic(user: str) -> str:
    return f"Basic {base64.b64encode(user.encode('latin-1')).decode()}"


@pytest.mark.parametrize(
    ("user", "plain"),
    [("ml:sesame", "ml:sesame"), ("ml:op%2Fen%40se%C3%A9", "ml:op/en@seé"), ("ml:ses@me", "ml:ses@me"), (":x", ":x")],
)
def test_a_server_with_a_user_is_asked_as_requests_asks_it(user: str, plain: str) -> None:
    with a_server(basic(plain)) as (place, asked):
        check_there(f"http://{user}@{place}/", may_create=False)
        assert requests.get(f"http://{user}@{place}/health", timeout=10).status_code == 200
    assert asked == [("/health", basic(plain))] * 2


@pytest.mark.parametrize("user", ["", "ml@"])
def test_without_a_password_nothing_is_sent_as_requests_sends_nothing(user: str) -> None:
    with a_server() as (place, asked):
        check_there(f"http://{user}{place}", may_create=False)
        assert requests.get(f"http://{user}{place}/health", timeout=10).status_code == 200
    assert asked == [("/health", None)] * 2


def test_a_server_that_refuses_the_password_is_there() -> None:
    with a_server(basic("ml:other")) as (place, asked):
        check_there(f"http://ml:sesame@{place}", may_create=False)
    assert len(asked) == 1


def test_another_server_that_it_sends_on_to_gets_no_password() -> None:
    with a_server() as (other, told), a_server(sends_to=f"http://{other}/health") as (place, asked):
        check_there(f"http://ml:sesame@{place}", may_create=False)
    assert (asked, told) == ([("/health", basic("ml:sesame"))], [("/health", None)])


@pytest.mark.parametrize("user", ["ml:ses/ame", "ml:ses?ame", "ml:€"])
def test_an_address_that_is_none_is_mlflows_to_name(user: str) -> None:
    check_there(f"http://{user}@127.0.0.1:1", may_create=False)


def test_a_server_that_is_gone_is_named_without_its_password() -> None:
    with a_server() as (place, _):
        pass
    with pytest.raises(RegistryError) as caught:
        check_there(f"http://ml:sesame@{place}", may_create=False)
    assert str(caught.value).startswith(f"MLflow at http://...@{place} cannot be opened: Connection refused: start it")
