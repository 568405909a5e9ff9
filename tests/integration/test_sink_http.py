"""The webhook sink against real receivers over loopback: ours, which verifies, and some that behave badly."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path

import httpx
import msgspec
import pytest

from contracts.alerts import encode_alert
from demo.errors import DemoError
from demo.receiver import Receiver
from stream_app.alerting.errors import DeliveryError, Refused, Retry
from stream_app.alerting.webhook import WebhookSettings, WebhookSink
from tests.alerting import an_alert
from tests.apis import http_client

SECRET = "whsec_" + base64.b64encode(b"a key of twenty-four byte").decode()
OTHER = "whsec_" + base64.b64encode(b"b" * 32).decode()
ALERT = an_alert()
BODY = encode_alert(ALERT)


@pytest.fixture
def receiver(tmp_path: Path):
    with Receiver("127.0.0.1", 0, SECRET, tmp_path / "alerts.jsonl") as receiver:
        yield receiver


@asynccontextmanager
async def sink_to(url: str, secret: str = SECRET, **settings: float) -> AsyncIterator[WebhookSink]:
    sink = WebhookSink(WebhookSettings(url=url, secret=secret, allow_private_addresses=True, **settings))
    try:
        yield sink
    finally:
        await sink.close()


@asynccontextmanager
async def server(talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[str]:
    """A server that speaks as it likes; yields its URL."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):  # the sink hung up, as it should
            await talk(reader, writer)
        writer.close()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"


async def failure(sink: WebhookSink) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await sink.deliver(ALERT, BODY)
    return caught.value


async def test_an_alert_arrives_signed_and_is_verified_by_the_independent_library(receiver: Receiver) -> None:
    async with sink_to(receiver.url + "hook?x=1") as sink:
        await sink.deliver(ALERT, BODY)
    (receipt,) = receiver.receipts()
    assert (receipt.alert, receipt.repeated) == (ALERT, False)
    assert receiver.requests == [(ALERT.id, 204)]


async def test_a_signature_made_with_another_secret_is_refused_and_nothing_is_kept(receiver: Receiver) -> None:
    async with sink_to(receiver.url, OTHER) as sink:
        error = await failure(sink)
    assert isinstance(error, Refused)
    assert str(error) == "the receiver answered 401 Unauthorized"
    assert receiver.receipts() == []


async def test_the_timestamp_is_that_of_the_attempt(receiver: Receiver) -> None:
    """One of an hour ago is refused by the library as a replay."""
    settings = WebhookSettings(url=receiver.url, secret=SECRET, allow_private_addresses=True)
    sink = WebhookSink(settings, clock=lambda: 1_700_000_000.0)
    assert str(await failure(sink)) == "the receiver answered 401 Unauthorized"
    await sink.close()


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_receiver_that_is_busy_is_worth_another_attempt(receiver: Receiver, status: int) -> None:
    receiver.fail(1, HTTPStatus(status), retry_after="7")
    async with sink_to(receiver.url) as sink:
        error = await failure(sink)
        assert isinstance(error, Retry)
        assert error.after == 7
        await sink.deliver(ALERT, BODY)
    assert len(receiver.receipts()) == 1


@pytest.mark.parametrize("status", [301, 307, 400, 403, 404, 410, 422])
async def test_any_other_answer_is_final(receiver: Receiver, status: int) -> None:
    receiver.fail(1, HTTPStatus(status))
    async with sink_to(receiver.url) as sink:
        error = await failure(sink)
    assert isinstance(error, Refused)
    assert str(status) in str(error)


async def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(BODY)
        writer.write(f"HTTP/1.1 307 Gone West\r\nlocation: {receiver.url}\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()

    async with server(elsewhere) as url, sink_to(url) as sink:
        assert isinstance(await failure(sink), Refused)
    assert receiver.requests == []


async def test_nobody_listening_is_worth_another_attempt(receiver: Receiver) -> None:
    receiver.close()
    async with sink_to(receiver.url) as sink:
        error = await failure(sink)
    assert isinstance(error, Retry)
    assert error.after is None


async def test_a_receiver_that_takes_the_request_and_is_silent_is_left_after_the_read_timeout() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with server(silent) as url, sink_to(url, read_timeout_seconds=0.2, connect_timeout_seconds=5) as sink:
        error = await asyncio.wait_for(failure(sink), 3)
    assert isinstance(error, Retry)
    assert "ReadTimeout" in str(error)


async def test_a_receiver_that_drips_its_answer_is_left_after_the_whole_time() -> None:
    async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 204 No Content\r\n")
        for _ in range(1000):
            writer.write(b"x-drip: 1\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with server(dripping) as url, sink_to(url, read_timeout_seconds=0.3, connect_timeout_seconds=0.2) as sink:
        error = await asyncio.wait_for(failure(sink), 3)
    assert isinstance(error, Retry)
    assert str(error) == "no answer within 0.5 s"


async def test_an_endless_answer_is_not_read() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(BODY)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"5\r\nhello\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with server(endless) as url, sink_to(url) as sink:
        await asyncio.wait_for(sink.deliver(ALERT, BODY), 3)


@pytest.mark.parametrize("answer", [b"", b"what?\r\n\r\n", b"HTTP/1.1 2xx\r\n\r\n"])
async def test_an_answer_that_is_not_http_is_worth_another_attempt(answer: bytes) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(BODY)
        writer.write(answer)
        await writer.drain()

    async with server(babble) as url, sink_to(url) as sink:
        assert isinstance(await failure(sink), Retry)


async def test_an_error_shows_nothing_of_the_url_but_the_receivers_name(receiver: Receiver) -> None:
    receiver.close()
    secretive = receiver.url.replace("http://", "http://user:topsecret@") + "topsecret?token=topsecret"
    async with sink_to(secretive) as sink:
        assert "topsecret" not in str(await failure(sink))


async def test_an_id_that_cannot_be_a_header_is_refused_without_a_request(receiver: Receiver) -> None:
    async with sink_to(receiver.url) as sink:
        for id_ in ("", "a.b", "a\r\nx: y", "ä", "x" * 201):
            with pytest.raises(Refused, match="webhook-id"):
                await sink.deliver(msgspec.structs.replace(ALERT, id=id_), BODY)
    assert receiver.requests == []


async def test_a_repeat_is_acknowledged_again_and_marked_also_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "alerts.jsonl"
    for _ in range(2):
        with Receiver("127.0.0.1", 0, SECRET, file) as receiver:
            async with sink_to(receiver.url) as sink:
                await sink.deliver(ALERT, BODY)
                await sink.deliver(ALERT, BODY)
    assert [receipt.repeated for receipt in receiver.receipts()] == [False, True, True, True]


async def test_a_line_that_a_crash_cut_off_is_dropped_and_its_alert_accepted_anew(tmp_path: Path) -> None:
    file = tmp_path / "alerts.jsonl"
    file.write_bytes(b'{"received": 1.0, "aler')
    with Receiver("127.0.0.1", 0, SECRET, file) as receiver:
        async with sink_to(receiver.url) as sink:
            await sink.deliver(ALERT, BODY)
    assert [receipt.repeated for receipt in receiver.receipts()] == [False]


async def test_the_receiver_refuses_what_is_signed_and_no_alert_or_another_one(receiver: Receiver) -> None:
    async with sink_to(receiver.url) as sink:
        for body in (b"{}", encode_alert(an_alert(2))):
            with pytest.raises(Refused, match="400"):
                await sink.deliver(ALERT, body)
    assert receiver.receipts() == []


async def test_the_receiver_answers_get_and_refuses_posts_that_are_unsigned_or_too_large(receiver: Receiver) -> None:
    async with http_client() as client:
        assert (await client.get(receiver.url + "health")).status_code == 200
        assert (await client.post(receiver.url, content=BODY)).status_code == 401
        headers = {"webhook-id": ALERT.id, "webhook-timestamp": "noon", "webhook-signature": "none"}
        assert (await client.post(receiver.url, content=BODY, headers=headers)).status_code == 401
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(receiver.url).port)
        writer.write(b"POST / HTTP/1.1\r\ncontent-length: 1048577\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
        writer.close()
    assert receiver.receipts() == []


def test_a_receiver_that_cannot_run_says_why_and_what_to_do(receiver: Receiver, tmp_path: Path) -> None:
    port = int(receiver.url.rsplit(":", 1)[1].strip("/"))
    with pytest.raises(DemoError, match=f"cannot listen on 127.0.0.1:{port}: .*take another port"):
        Receiver("127.0.0.1", port, SECRET, tmp_path / "b.jsonl")
    with pytest.raises(DemoError, match="secret"):
        Receiver("127.0.0.1", 0, "whsec_%", tmp_path / "b.jsonl")
    (tmp_path / "c.jsonl").write_text("no receipt\n")
    with pytest.raises(DemoError, match="cannot hold receipts"):
        Receiver("127.0.0.1", 0, SECRET, tmp_path / "c.jsonl")
