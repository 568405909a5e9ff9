"""A packet of offers is parsed offer by offer, and none copies the rest of it."""

from typing import Any

import httptools

from api.http.http_protocol import HttpProtocol

OFFER = b"GET /%d HTTP/1.1\r\nHost: api\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n"


class Open:
    def is_closing(self) -> bool:
        return False


class Parsing(HttpProtocol):
    """The parser's part of a connection. urls: of the requests. rests: what was left behind each offer."""

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.timeout_keep_alive_task = None
        self.transport: Any = Open()
        self.urls: list[bytes] = []
        self.rests: list[Any] = []

    def on_message_begin(self) -> None:
        self.url, self.headers = b"", []

    def on_headers_complete(self) -> None:
        self.unread = 0

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():
            self.urls.append(self.url)

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        self.rests += self._left[1:]


def test_what_is_behind_an_offer_is_not_copied():
    connection, packet = Parsing(), b"".join(OFFER % number for number in range(500))

    connection.data_received(packet)

    assert connection.urls == [b"/%d" % number for number in range(500)]
    assert len(connection.rests) == 499
    assert all(rest.obj is packet for rest in connection.rests)
