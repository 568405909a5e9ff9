"""One POST: what is sent, what an answer means, and what a sink may say about a refusal."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest

from stream_app.alerting.errors import Refused, Retry, SinkSettingsError
from stream_app.alerting.http_answer import judgement, retry_after
from stream_app.alerting.http_post import EXPLAINED, HttpPost
from stream_app.alerting.http_settings import HttpSettings
from tests.certificates import certificates
from tests.receivers import HttpReceiver, listening, receiving, status


@pytest.fixture
async def receiver():
    async with receiving() as receiver:
        yield receiver


def settings(receiver: HttpReceiver, *, user: str = "", path: str = "/hook?x=1") -> HttpSettings:
    return HttpSettings(url=f"http://{user}127.0.0.1:{receiver.port}{path}", allow_private_addresses=True)


async def test_the_body_and_the_headers_arrive_as_they_were_given(receiver: HttpReceiver) -> None:
    post = HttpPost(settings(receiver))
    await post.send(b'{"a":1}', {"content-type": "application/json", "x-key": "7"})
    await post.close()
    (posted,) = receiver.posted
    assert (posted.line, posted.body) == ("POST /hook?x=1 HTTP/1.1", b'{"a":1}')
    assert (posted.headers["x-key"], posted.headers["user-agent"]) == ("7", "tidemark/1")
    assert "authorization" not in posted.headers


@pytest.mark.parametrize(
    ("base", "line"),
    [
        ("", "/api/v2/alerts"),
        ("/", "/api/v2/alerts"),
        ("/am/", "/am/api/v2/alerts"),
        ("/am?a=b", "/am/api/v2/alerts?a=b"),
    ],
)
async def test_a_path_is_appended_to_the_one_of_the_url(receiver: HttpReceiver, base: str, line: str) -> None:
    post = HttpPost(settings(receiver, path=base), path="/api/v2/alerts")
    await post.send(b"[]", {})
    await post.close()
    assert receiver.posted[0].line == f"POST {line} HTTP/1.1"


async def test_user_and_password_of_the_url_are_basic_authentication(receiver: HttpReceiver) -> None:
    post = HttpPost(settings(receiver, user="us%40er:pass@"))
    await post.send(b"", {})
    await post.close()
    assert receiver.posted[0].headers["authorization"] == "Basic " + base64.b64encode(b"us@er:pass").decode()


async def test_every_attempt_has_a_connection_of_its_own_which_is_judged_anew(receiver: HttpReceiver) -> None:
    post = HttpPost(settings(receiver), explain=lambda code, body: "")
    receiver.answers.extend([status(204), status(503)])
    await post.send(b"", {})
    with pytest.raises(Retry):
        await post.send(b"", {})
    await post.send(b"", {})
    await post.close()
    assert receiver.connections == 3


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\nb", "ä"])
async def test_a_header_that_cannot_be_sent_is_refused_without_showing_it(receiver: HttpReceiver, value: str) -> None:
    post = HttpPost(settings(receiver))
    with pytest.raises(Refused, match="what no header may") as caught:
        await post.send(b"", {"x-key": "topsecret" + value})
    await post.close()
    assert "topsecret" not in str(caught.value)
    assert receiver.posted == []


async def test_a_sink_may_explain_a_refusal_from_the_first_bytes_of_the_body(receiver: HttpReceiver) -> None:
    seen: list[tuple[int, int]] = []

    def explain(code: int, body: bytes) -> str:
        seen.append((code, len(body)))
        return "invalid_blocks"

    post = HttpPost(settings(receiver), explain=explain)
    receiver.answers.extend([status(400, body=b"x" * 100_000), status(503, body=b""), status(200, body=b"ok")])
    with pytest.raises(Refused, match="the receiver answered 400 Bad Request: invalid_blocks"):
        await post.send(b"", {})
    with pytest.raises(Retry, match="503 Service Unavailable: invalid_blocks"):
        await post.send(b"", {})
    await post.send(b"", {})
    await post.close()
    assert seen == [(400, EXPLAINED), (503, 0)]


async def test_a_body_that_breaks_off_leaves_the_judgement_as_it_is(receiver: HttpReceiver) -> None:
    async def broken(posted, writer) -> None:
        writer.write(b"HTTP/1.1 400 No\r\ncontent-length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    receiver.answers.append(broken)
    post = HttpPost(settings(receiver), explain=lambda code, body: body.decode())
    with pytest.raises(Refused, match="400 Bad Request: half"):
        await post.send(b"", {})
    await post.close()


async def test_tls_that_is_broken_after_its_handshake_is_worth_another_attempt(tmp_path: Path) -> None:
    """On the way to the client everything behind the server's side of the handshake is replaced by noise."""
    tls = certificates(tmp_path, "127.0.0.1")
    async with receiving(tls.server) as receiver:

        async def garbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", receiver.port)
            there_writer.write(await reader.read(65536))  # the client's hello
            writer.write(await there_reader.read(65536))  # the server's hello, certificate and end
            there_writer.write(await reader.read(65536))  # the client's end
            writer.write(b"\x17\x03\x03\x00\x20" + b"?" * 32)
            await reader.read()
            there_writer.close()

        async with listening(garbling) as port:
            url = f"https://127.0.0.1:{port}/"
            post = HttpPost(HttpSettings(url=url, allow_private_addresses=True, ca_bundle=tls.authority))
            with pytest.raises(Retry, match=r"^no answer: SSLError: "):
                await post.send(b"{}", {})
            await post.close()


@pytest.mark.parametrize("body", [None, "", "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"])
def test_a_bundle_that_is_none_is_one_line_that_names_its_setting(tmp_path: Path, body: str | None) -> None:
    class Mine(HttpSettings):
        model_config = {"env_prefix": "SINK_MINE_"}

    bundle = tmp_path / "bundle.pem"
    if body is not None:
        bundle.write_text(body)
    with pytest.raises(SinkSettingsError, match=r"^SINK_MINE_CA_BUNDLE: .*bundle\.pem cannot be used: ") as caught:
        HttpPost(Mine(url="https://alerts.example.com", ca_bundle=bundle))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "private", "warned"),
    [
        ("http://alerts.example.com/topsecret", False, True),
        ("https://alerts.example.com/topsecret", False, False),
        ("http://alertmanager:9093", True, False),
    ],
)
def test_alerts_that_would_cross_the_internet_unencrypted_are_warned_of(
    caplog: pytest.LogCaptureFixture, url: str, private: bool, warned: bool
) -> None:
    HttpPost(HttpSettings(url=url, allow_private_addresses=private))
    said = ["URL is http: alerts cross the internet for all to read; use https"] if warned else []
    assert [record.getMessage() for record in caplog.records] == said


@pytest.mark.parametrize("code", [100, 299, 300, 304, 399, 400, 407, 409, 418, 451, 499, 599, 600, 999])
def test_every_status_has_a_meaning(code: int) -> None:
    failure = judgement(code, "3", 0.0)
    if 200 <= code < 300:
        assert failure is None
    elif 500 <= code < 600:
        assert isinstance(failure, Retry)
        assert failure.after == 3.0
    else:
        assert isinstance(failure, Refused)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("17", 17.0),
        ("-5", None),
        ("²", None),
        ("1e3", None),
        ("soon", None),
        ("", None),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 20.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:02:00", 20.0),
        ("Thu, 41 Jan 1970 00:02:00 GMT", None),
        (f"Thu, {'9' * 20} Jan 1970 00:02:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, 100.0) == seconds
