"""HttpProtocol: uvicorn's HTTP protocol, with what it leaves to others: offers of another protocol, endless heads.

Java's HttpClient offers HTTP/2 with each request (`Upgrade: h2c`), and so does `curl --http2`. A server declines by
answering as if nothing had been offered (RFC 9110, section 7.8). But the parser stops behind such a head, and uvicorn
hands the request on without its body, which it drops, or takes for the next request where it comes in a packet of its
own (Kludex/uvicorn#2722). Here the head is parsed once more, without the offer, and then what came behind it.

A head has no bound there, and the parser copies what it has of a line with each packet: 64 MB in one header held the
event loop, and every other request, for 8 s. Trailers are as endless. Here both end with 400.
"""

from __future__ import annotations

import sys
from typing import cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST_HEAD = 65_536
"""Bytes of packets that end no head and bring nothing of a body: of a head, or of trailers."""


class HttpProtocol(HttpToolsProtocol):
    """One connection. Whoever does not hand `on_headers_complete` on sets `unread` to 0 there."""

    unread = 0
    _parsed: bytes | memoryview = b""
    _left: tuple[bytes | memoryview, ...] = ()

    def data_received(self, data: bytes) -> None:
        """Offers in turns, not in one another: a packet may hold thousands, and none copies what is behind it."""
        self.unread += len(data)
        self._parsed = data
        HttpToolsProtocol.data_received(self, data)  # super() would cost every request .2 us more
        while self._left and not self.transport.is_closing():
            self._parsed, *left = self._left
            self._left = tuple(left)
            HttpToolsProtocol.data_received(self, cast(bytes, self._parsed))
        if self.unread > LONGEST_HEAD and not self.transport.is_closing():
            self.logger.warning("The head of a request is too long.")
            self.send_400_response(f"The head of the request has more than {LONGEST_HEAD} bytes.")

    def on_headers_complete(self) -> None:
        self.unread = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self.unread = 0
        super().on_body(body)

    def _should_upgrade(self) -> bool:
        """Asked where the parser would stop. True: uvicorn does nothing but call `handle_websocket_upgrade`. The
        parser stops at CONNECT whatever its headers are, so that would go on for ever.
        """
        return self.parser.get_method() != b"CONNECT"

    def handle_websocket_upgrade(self) -> None:
        """Called where the parser has stopped, whatever is offered."""
        stopped = sys.exception()
        assert isinstance(stopped, httptools.HttpParserUpgrade)
        version = self.parser.get_http_version().encode()
        head = [self.parser.get_method(), b" ", self.url, b" HTTP/", version, b"\r\n"]
        for name, value in self.headers:
            if name != b"upgrade":
                head += (name, b": ", value, b"\r\n")
        head.append(b"\r\n")
        behind = memoryview(self._parsed)[stopped.args[0] :]
        self._left = (b"".join(head), *((behind,) if behind else ()), *self._left)
