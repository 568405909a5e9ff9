"""NoUpgrade: uvicorn's HTTP protocol, for clients that offer to change to another one.

Java's HttpClient offers HTTP/2 with each request (`Upgrade: h2c`), and so does `curl --http2`. A server declines by
answering as if nothing had been offered (RFC 9110, section 7.8). But the parser stops behind such a head, and uvicorn
hands the request on without its body, which it drops, or takes for the next request where it comes in a packet of its
own (Kludex/uvicorn#2722). Here the head is parsed once more, without the offer, and then what came behind it.
"""

from __future__ import annotations

import sys

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class NoUpgrade(HttpToolsProtocol):
    """One connection."""

    _parsed = _left = b""

    def data_received(self, data: bytes) -> None:
        """Offers in turns, not in one another: a packet may hold thousands of them."""
        self._parsed = data
        HttpToolsProtocol.data_received(self, data)  # super() would cost every request .2 us more
        while self._left:
            self._parsed, self._left = self._left, b""
            HttpToolsProtocol.data_received(self, self._parsed)

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
        self._left = b"".join(head) + b"\r\n" + self._parsed[stopped.args[0] :]
