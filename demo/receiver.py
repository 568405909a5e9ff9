"""A webhook receiver as a user would write one: verifies, acknowledges, and appends each alert to a file.

The signature is verified by the library `standardwebhooks`, which shares no code with the sender. POST to any path;
GET answers 200 while it runs.

    python -m demo receiver --port 9000 --file alerts.jsonl     # DEMO_RECEIVER_SECRET=whsec_...

One line per accepted request: `{"received": seconds since the epoch, "alert": {...}, "repeated": false}`. A request
whose `webhook-id` was accepted before (in an earlier run too) is acknowledged again and marked `"repeated": true`.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self

from standardwebhooks import Webhook, WebhookVerificationError

from contracts.alerts import decode_alert
from contracts.errors import InvalidMessage
from demo.errors import DemoError
from demo.receipts import Receipt, ReceiptFile

_LARGEST = 1 << 20
_IDLE_SECONDS = 30.0


class Request(NamedTuple):
    """One POST as it was answered. id: its `webhook-id`."""

    id: str
    status: int


class Receiver:
    """Listens from construction on; answers between start() and close(), or as a context manager. Port 0: a free one.

    Raises DemoError when it cannot listen, or when the secret is not one.
    """

    def __init__(self, host: str, port: int, secret: str, file: Path) -> None:
        self.requests: list[Request] = []
        self._file = ReceiptFile(file)
        self._failures: list[tuple[HTTPStatus, str | None]] = []
        self._open = threading.Event()
        self._open.set()
        self._change = threading.Lock()
        try:
            self._webhook = Webhook(secret)
        except Exception as error:  # the library raises several kinds, one of them Exception's own child
            raise DemoError(f"the receiver's secret is not whsec_ and base64: {type(error).__name__}") from None
        try:
            self._server = _Server((host, port), self)
        except OSError as error:
            raise DemoError(
                f"the receiver cannot listen on {host}:{port}: {error.strerror}; take another port"
            ) from error
        self.url = f"http://{host}:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> None:
        """Answer in a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """Answer nothing more and free the port."""
        self._open.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fail(self, times: int, status: HTTPStatus, retry_after: str | None = None) -> None:
        """Answer the next requests with this status, and accept none of them."""
        self._failures += [(status, retry_after)] * times

    def hold(self) -> None:
        """From now on write alerts down and give no answer until release(): a receiver that is slow to say yes."""
        self._open.clear()

    def release(self) -> None:
        """Answer what is held, and go on as usual."""
        self._open.set()

    def receipts(self) -> list[Receipt]:
        """What the file holds."""
        return self._file.read()

    def take(self, headers: dict[str, str], body: bytes) -> tuple[HTTPStatus, str | None]:
        """Judge one request; returns the answer's status and its Retry-After."""
        with self._change:
            if self._failures:
                return self._failures.pop(0)
            try:
                self._webhook.verify(body, headers, json_parse=False)
                alert = decode_alert(body)
            except (WebhookVerificationError, ValueError) as error:
                wrong = isinstance(error, InvalidMessage)  # signed by the sender, and still no alert
                return (HTTPStatus.BAD_REQUEST if wrong else HTTPStatus.UNAUTHORIZED), None
            if alert.id != headers["webhook-id"]:
                return HTTPStatus.BAD_REQUEST, None
            self._file.append(alert, time.time())
        self._open.wait()
        return HTTPStatus.NO_CONTENT, None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], receiver: Receiver) -> None:
        self.receiver = receiver
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    server: _Server

    def do_GET(self) -> None:
        self._answer(HTTPStatus.OK, None, json.dumps({"status": "up"}).encode())

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > _LARGEST:
            self.close_connection = True
            status, retry_after = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, None
        else:
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, retry_after = self.server.receiver.take(headers, self.rfile.read(int(length)))
        self.server.receiver.requests.append(Request(self.headers.get("webhook-id", ""), status))
        self._answer(status, retry_after, b"")

    def _answer(self, status: HTTPStatus, retry_after: str | None, body: bytes) -> None:
        self.send_response(status)
        if retry_after is not None:
            self.send_header("retry-after", retry_after)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """The file is the log."""


def serve(host: str, port: int, secret: str, file: Path) -> None:
    """Receive until SIGTERM or SIGINT; prints the URL first. Raises DemoError."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with Receiver(host, port, secret, file) as receiver:
        print(f"receiver: {receiver.url} -> {file}", flush=True)
        ended.wait()
